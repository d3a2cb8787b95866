"""Tables of what a defaced file may hold beside its pixels: sequences and elements of many values must be listed here."""

# Sequences of CT and enhanced CT. All others (icons, look-up tables, graphics, contours, surfaces, waveforms, signatures,
# copies of old headers) are removed.
FRAME_GROUPS = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}
REFERENCES = {
    "SourceImageSequence", "ReferencedImageSequence", "ReferencedInstanceSequence", "ReferencedSeriesSequence",
    "ReferencedStudySequence", "ReferencedSOPSequence", "ReferencedPatientSequence",
    "ReferencedPerformedProcedureStepSequence", "ReferencedImageEvidenceSequence", "SourceImageEvidenceSequence",
    "StudiesContainingOtherReferencedInstancesSequence", "RelatedSeriesSequence", "ReferencedRawDataSequence",
    "ConversionSourceAttributesSequence"}
SEQUENCES = FRAME_GROUPS | REFERENCES | {
    # frames
    "DimensionOrganizationSequence", "DimensionIndexSequence", "FrameContentSequence", "PixelMeasuresSequence",
    "PlanePositionSequence", "PlaneOrientationSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence",
    "FrameAnatomySequence", "DerivationImageSequence", "CardiacSynchronizationSequence",
    "RespiratorySynchronizationSequence", "TemporalPositionSequence", "PatientOrientationInFrameSequence",
    "PatientPhysiologicalStateSequence", "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    # acquisition
    "CTImageFrameTypeSequence", "CTAcquisitionTypeSequence", "CTAcquisitionDetailsSequence", "CTTableDynamicsSequence",
    "CTPositionSequence", "CTGeometrySequence", "CTReconstructionSequence", "CTExposureSequence",
    "CTXRayDetailsSequence", "CTAdditionalXRaySourceSequence", "CTDIPhantomTypeCodeSequence",
    "IrradiationEventIdentificationSequence", "MultienergyCTAcquisitionSequence", "MultienergyCTProcessingSequence",
    "MultienergyCTCharacteristicsSequence", "MultienergyCTXRaySourceSequence", "MultienergyCTXRayDetectorSequence",
    "MultienergyCTPathSequence", "DecompositionAlgorithmIdentificationSequence", "DecompositionMaterialSequence",
    "MaterialCodeSequence", "MaterialAttenuationSequence", "WaterEquivalentDiameterCalculationMethodCodeSequence",
    "ReferencedDefinedProtocolSequence", "ReferencedPerformedProtocolSequence", "DerivationCodeSequence",
    "PurposeOfReferenceCodeSequence", "AcquisitionContextSequence", "ConceptNameCodeSequence", "ConceptCodeSequence",
    "MeasurementUnitsCodeSequence", "ContrastBolusAgentSequence", "ContrastBolusUsageSequence",
    "ContrastBolusAdministrationRouteSequence", "ContrastBolusIngredientCodeSequence",
    "AdministrationRouteCodeSequence", "AdditionalDrugSequence", "AnatomicRegionSequence",
    "AnatomicRegionModifierSequence", "PrimaryAnatomicStructureSequence", "PrimaryAnatomicStructureModifierSequence",
    "PatientOrientationCodeSequence", "PatientOrientationModifierCodeSequence", "PatientGantryRelationshipCodeSequence",
    # study, patient, people, places
    "RequestAttributesSequence", "ProcedureCodeSequence", "RequestedProcedureCodeSequence",
    "ScheduledProtocolCodeSequence", "PerformedProtocolCodeSequence", "ReasonForRequestedProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence", "ReasonForVisitCodeSequence", "RequestingServiceCodeSequence",
    "AdmittingDiagnosesCodeSequence", "ProtocolContextSequence", "SeriesDescriptionCodeSequence",
    "AnatomicRegionsInStudyCodeSequence", "DeidentificationMethodCodeSequence", "OtherPatientIDsSequence",
    "IssuerOfPatientIDQualifiersSequence", "IssuerOfAccessionNumberSequence", "IssuerOfAdmissionIDSequence",
    "IssuerOfServiceEpisodeIDSequence", "InstitutionCodeSequence", "InstitutionalDepartmentTypeCodeSequence",
    "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianIdentificationSequence",
    "PhysiciansOfRecordIdentificationSequence", "PerformingPhysicianIdentificationSequence",
    "PhysiciansReadingStudyIdentificationSequence", "OperatorIdentificationSequence",
    "PersonIdentificationCodeSequence", "PatientSpeciesCodeSequence", "PatientBreedCodeSequence",
    "BreedRegistrationSequence", "BreedRegistryCodeSequence", "PatientSizeCodeSequence",
    "PatientPhysiologicalStateCodeSequence", "EthnicGroupCodeSequence", "PatientPrimaryLanguageCodeSequence",
    "OtherClinicalTrialProtocolIDsSequence", "ClinicalTrialTimePointTypeCodeSequence",
    "ConsentForClinicalTrialUseSequence", "ContributingEquipmentSequence", "UDISequence", "EquivalentCodeSequence",
    "CodingSchemeIdentificationSequence"}

# Elements of numbers whose count the dictionary does not limit; any other of that kind can be a table, curve, or picture.
MANY_NUMBERS = {
    "WindowCenter", "WindowWidth", "DimensionIndexValues", "FrameIncrementPointer", "ReferencedFrameNumber", "FocalSpots",
    "ContrastFlowRate", "ContrastFlowDuration", "LossyImageCompressionRatio", "FilterThicknessMinimum",
    "FilterThicknessMaximum", "FilterBeamPathLengthMinimum", "FilterBeamPathLengthMaximum", "NumericValue",
    "ReferencedXRayDetectorIndex", "ReferencedXRaySourceIndex", "ReferencedPathIndex", "AcquisitionIndex"}

# These tell where to fetch the original, and the extremes of its pixels.
NEVER = {"RetrieveAETitle", "RetrieveLocationUID", "SmallestImagePixelValue", "LargestImagePixelValue",
         "SmallestPixelValueInSeries", "LargestPixelValueInSeries", "SmallestImagePixelValueInPlane",
         "LargestImagePixelValueInPlane"}

# CT images must have these (type 2), empty when unknown.
MUST_BE_THERE = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "ReferringPhysicianName", "Manufacturer", "PositionReferenceIndicator", "PatientPosition", "Laterality", "KVP",
    "AcquisitionNumber")
