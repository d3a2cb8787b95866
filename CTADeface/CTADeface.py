"""CTADeface: removes the face from head CT and CT angiography. What Slicer looks for; the work is in CTADefaceLib."""

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest

from CTADefaceLib.slicer_module.logic import FaceLogic
from CTADefaceLib.slicer_module.panel.parameters import FaceParameters
from CTADefaceLib.slicer_module.panel.widget import FaceWidget
from CTADefaceLib.slicer_module.scene.sample_data import register_sample_data


class CTADeface(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CTA Deface")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SegmentEditor", "VolumeRendering", "Volumes", "SubjectHierarchy"]
        parent.contributors = ["CTADeface contributors"]
        parent.helpText = _(
            "Removes the face from head CT and CT angiography so that scans can be shared: a network proposes a face "
            "mask, you correct it in the Segment Editor, look at the CT-Muscle rendering, apply the fill, and export. "
            "Everything runs on this computer, and only released DICOM files leave it, when you send them. "
            "File headers keep what they say, unless Export DICOM de-identifies them."
        )
        parent.acknowledgementText = _(
            "Implements and extends CTA-DEFACE (Mahmutoglu et al., Eur Radiol Exp 2024;8:111, "
            "doi 10.1186/s41747-024-00510-9). The network is nnU-Net (Isensee et al., Nat Methods 2021;18:203-211)."
        )
        slicer.app.connect("startupCompleted()", register_sample_data)


class CTADefaceLogic(ScriptedLoadableModuleLogic, FaceLogic):
    """``segmentFace``, ``showPreview``, ``applyFill``, ``exportVolume``, ``deface``: see ``FaceLogic``."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        FaceLogic.__init__(self)

    def getParameterNode(self):
        return FaceParameters(super().getParameterNode())


class CTADefaceWidget(FaceWidget):
    logicClass = CTADefaceLogic


class CTADefaceTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        from CTADefaceLib.slicer_module.self_test.whole import SelfTest

        self.setUp()
        SelfTest(self, CTADefaceLogic()).run()
        self.delayDisplay("Test passed")
