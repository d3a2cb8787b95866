<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE" sourcelanguage="en_US">
<context>
    <name>CTADeface</name>
    <message>
        <source> HU</source>
        <translation> HE</translation>
    </message>
    <message>
        <source>1. Face mask</source>
        <translation>1. Gesichtsmaske</translation>
    </message>
    <message>
        <source>2. Look and correct</source>
        <translation>2. Ansehen und korrigieren</translation>
    </message>
    <message>
        <source>3. Fill</source>
        <translation>3. Füllen</translation>
    </message>
    <message>
        <source>4. Checks</source>
        <translation>4. Prüfungen</translation>
    </message>
    <message>
        <source>5. Export</source>
        <translation>5. Export</translation>
    </message>
    <message>
        <source>A DICOM Segmentation on the original slices, in the hospital's folder. It shows the face and names the patient.</source>
        <translation>Eine DICOM-Segmentierung auf den Originalschichten, im Ordner des Krankenhauses. Sie zeigt das Gesicht und nennt den Patienten.</translation>
    </message>
    <message>
        <source>A folder of wheel files to install from without a network; empty to download.</source>
        <translation>Ein Ordner mit Wheel-Dateien, aus dem ohne Netzwerk installiert wird; leer lassen, um herunterzuladen.</translation>
    </message>
    <message>
        <source>A page beside the record, outside of the folder of the export. It shows the original face.</source>
        <translation>Eine Seite neben dem Protokoll, außerhalb des Exportordners. Sie zeigt das ursprüngliche Gesicht.</translation>
    </message>
    <message>
        <source>Accept</source>
        <translation>Annehmen</translation>
    </message>
    <message>
        <source>Add to training set...</source>
        <translation>Zu den Trainingsdaten hinzufügen...</translation>
    </message>
    <message>
        <source>Also write the face mask</source>
        <translation>Auch die Gesichtsmaske schreiben</translation>
    </message>
    <message>
        <source>Apply fill</source>
        <translation>Füllen</translation>
    </message>
    <message>
        <source>As a second file, &lt;name&gt;_facemask, beside the record in &lt;folder&gt;-hospital-only. It shows the shape of the face: not for release.</source>
        <translation>Als zweite Datei, &lt;Name&gt;_facemask, neben dem Protokoll in &lt;Ordner&gt;-hospital-only. Sie zeigt die Form des Gesichts: nicht zur Weitergabe.</translation>
    </message>
    <message>
        <source>Asks first, and names the packages and their size.</source>
        <translation>Fragt zuerst und nennt die Pakete und ihre Größe.</translation>
    </message>
    <message>
        <source>CTA Deface</source>
        <translation>CTA Deface</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Click a check to see its place in the slices.</source>
        <translation>Ein Klick auf eine Prüfung zeigt ihre Stelle in den Schichten.</translation>
    </message>
    <message>
        <source>Copy log</source>
        <translation>Protokoll kopieren</translation>
    </message>
    <message>
        <source>Copy the whole log to the clipboard.</source>
        <translation>Das ganze Protokoll in die Zwischenablage kopieren.</translation>
    </message>
    <message>
        <source>DICOM: all CT series of the study</source>
        <translation>DICOM: alle CT-Serien der Studie</translation>
    </message>
    <message>
        <source>DICOM: de-identify headers (PS3.15 Basic Profile)</source>
        <translation>DICOM: Header de-identifizieren (PS3.15 Basic Profile)</translation>
    </message>
    <message>
        <source>DICOM: the face mask as SEG too (hospital only)</source>
        <translation>DICOM: die Gesichtsmaske auch als SEG (nur für das Krankenhaus)</translation>
    </message>
    <message>
        <source>Deface</source>
        <translation>Gesicht entfernen</translation>
    </message>
    <message>
        <source>Defaced</source>
        <translation>Ohne Gesicht</translation>
    </message>
    <message>
        <source>Defaced volume:</source>
        <translation>Ergebnis:</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Gerät:</translation>
    </message>
    <message>
        <source>Done by the package dicom-anonymizer. Without it, or your own tool, name, birth date and IDs stay in the files.</source>
        <translation>Das macht das Paket dicom-anonymizer. Ohne dieses oder ein eigenes Werkzeug bleiben Name, Geburtsdatum und Kennungen in den Dateien.</translation>
    </message>
    <message>
        <source>Draw by hand</source>
        <translation>Von Hand zeichnen</translation>
    </message>
    <message>
        <source>Ears too</source>
        <translation>Auch die Ohren</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Export</translation>
    </message>
    <message>
        <source>Export DICOM...</source>
        <translation>DICOM exportieren...</translation>
    </message>
    <message>
        <source>Export defaced volume...</source>
        <translation>Volumen ohne Gesicht exportieren...</translation>
    </message>
    <message>
        <source>Face recognition too (half a minute, optional packages)</source>
        <translation>Auch Gesichtserkennung (halbe Minute, Zusatzpakete)</translation>
    </message>
    <message>
        <source>Fill</source>
        <translation>Füllen</translation>
    </message>
    <message>
        <source>Fill:</source>
        <translation>Füllung:</translation>
    </message>
    <message>
        <source>Fills other than "levelled" are reversible: the border of the filled region is the old skin. File headers keep what they say, unless Export DICOM de-identifies them.</source>
        <translation>Andere Füllungen als "levelled" lassen sich umkehren: Der Rand des gefüllten Bereichs ist die alte Haut. Die Header der Dateien bleiben, wie sie sind, wenn sie nicht beim DICOM-Export de-identifiziert werden.</translation>
    </message>
    <message>
        <source>Follow edits</source>
        <translation>Änderungen folgen</translation>
    </message>
    <message>
        <source>Front</source>
        <translation>Vorne</translation>
    </message>
    <message>
        <source>Grow</source>
        <translation>Größer</translation>
    </message>
    <message>
        <source>Implements and extends CTA-DEFACE (Mahmutoglu et al., Eur Radiol Exp 2024;8:111, doi 10.1186/s41747-024-00510-9). The network is nnU-Net (Isensee et al., Nat Methods 2021;18:203-211).</source>
        <translation>Setzt CTA-DEFACE um und erweitert es (Mahmutoglu et al., Eur Radiol Exp 2024;8:111, doi 10.1186/s41747-024-00510-9). Das neuronale Netz ist nnU-Net (Isensee et al., Nat Methods 2021;18:203-211).</translation>
    </message>
    <message>
        <source>Install packages</source>
        <translation>Pakete installieren</translation>
    </message>
    <message>
        <source>Keep:</source>
        <translation>Erhalten:</translation>
    </message>
    <message>
        <source>Largest</source>
        <translation>Größtes</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>Ansehen</translation>
    </message>
    <message>
        <source>MTCNN detection and FaceNet distance on renderings before and after, offline. Where its packages are missing, the check names the command that installs them.</source>
        <translation>Erkennung mit MTCNN und Abstand nach FaceNet auf Bildern von vorher und nachher, ohne Netzwerk. Fehlen die Pakete dafür, so nennt die Prüfung den Befehl, der sie installiert.</translation>
    </message>
    <message>
        <source>Mask</source>
        <translation>Maske</translation>
    </message>
    <message>
        <source>Model:</source>
        <translation>Modell:</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>Nächster</translation>
    </message>
    <message>
        <source>No bone</source>
        <translation>Ohne Knochen</translation>
    </message>
    <message>
        <source>Oblique</source>
        <translation>Schräg</translation>
    </message>
    <message>
        <source>Offline wheel folder:</source>
        <translation>Ordner mit Wheels:</translation>
    </message>
    <message>
        <source>Only the face is removed: DICOM headers still carry the patient's identity unless they are de-identified.</source>
        <translation>Nur das Gesicht wird entfernt: DICOM-Header nennen weiter den Patienten, wenn sie nicht de-identifiziert werden.</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Original</source>
        <translation>Original</translation>
    </message>
    <message>
        <source>Override</source>
        <translation>Übergehen</translation>
    </message>
    <message>
        <source>Previous</source>
        <translation>Voriger</translation>
    </message>
    <message>
        <source>Python packages</source>
        <translation>Python-Pakete</translation>
    </message>
    <message>
        <source>Reason, goes into the record</source>
        <translation>Begründung, kommt ins Protokoll</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>Remove half-installed packages and install them again.</source>
        <translation>Halb installierte Pakete entfernen und neu installieren.</translation>
    </message>
    <message>
        <source>Removes the face from head CT and CT angiography so that scans can be shared: a network proposes a face mask, you correct it in the Segment Editor, look at the CT-Muscle rendering, apply the fill, and export. Everything runs on this computer, and only released DICOM files leave it, when you send them. File headers keep what they say, unless Export DICOM de-identifies them.</source>
        <translation>Entfernt das Gesicht aus CT und CT-Angiographie des Kopfes, damit Aufnahmen weitergegeben werden können: Ein neuronales Netz schlägt eine Gesichtsmaske vor, Sie korrigieren sie im Segment Editor, sehen sich die Darstellung mit CT-Muscle an, füllen das Gesicht und exportieren. Alles läuft auf diesem Rechner, und nur freigegebene DICOM-Dateien verlassen ihn, wenn Sie sie senden. Die Header der Dateien bleiben, wie sie sind, wenn sie nicht beim DICOM-Export de-identifiziert werden.</translation>
    </message>
    <message>
        <source>Repair packages</source>
        <translation>Pakete reparieren</translation>
    </message>
    <message>
        <source>Report with pictures, for the hospital only</source>
        <translation>Bericht mit Bildern, nur für das Krankenhaus</translation>
    </message>
    <message>
        <source>Restore</source>
        <translation>Vorschlag</translation>
    </message>
    <message>
        <source>Review a batch</source>
        <translation>Stapel durchsehen</translation>
    </message>
    <message>
        <source>Save correction</source>
        <translation>Korrektur speichern</translation>
    </message>
    <message>
        <source>Segment face</source>
        <translation>Gesicht segmentieren</translation>
    </message>
    <message>
        <source>Send...</source>
        <translation>Senden...</translation>
    </message>
    <message>
        <source>Shrink</source>
        <translation>Kleiner</translation>
    </message>
    <message>
        <source>Side by side</source>
        <translation>Vergleich</translation>
    </message>
    <message>
        <source>The folder &lt;output&gt;-hospital-only of a batch, in which the manifest lies.</source>
        <translation>Der Ordner &lt;Ausgabe&gt;-hospital-only eines Stapels, in dem das Manifest liegt.</translation>
    </message>
    <message>
        <source>The head CT or CTA to deface, in HU.</source>
        <translation>Das CT oder die CTA des Kopfes in HE, aus dem das Gesicht entfernt wird.</translation>
    </message>
    <message>
        <source>The mask that Segment face makes also holds both ears, which go down to the sides of the head.</source>
        <translation>Die Maske, die "Gesicht segmentieren" erstellt, enthält auch beide Ohren, die bis auf die Seiten des Kopfes abgetragen werden.</translation>
    </message>
    <message>
        <source>The network that finds the face: the one that comes with the extension, or one that you have added.</source>
        <translation>Das neuronale Netz, das das Gesicht findet: das mitgelieferte oder eines, das Sie hinzugefügt haben.</translation>
    </message>
    <message>
        <source>The same mask is applied to every CT series of the study that shares the frame of reference; the others are listed and not written.</source>
        <translation>Dieselbe Maske wird auf jede CT-Serie der Studie im selben Bezugssystem angewandt; die übrigen werden genannt und nicht geschrieben.</translation>
    </message>
    <message>
        <source>Update the preview of the defaced volume shortly after each edit.</source>
        <translation>Die Vorschau ohne Gesicht kurz nach jeder Änderung erneuern.</translation>
    </message>
    <message>
        <source>Volume:</source>
        <translation>Volumen:</translation>
    </message>
    <message>
        <source>Where the network runs: cpu always works; cuda and mps need a suitable graphics card; auto uses one if there is one.</source>
        <translation>Wo das neuronale Netz läuft: cpu geht immer; cuda und mps brauchen eine passende Grafikkarte; auto nimmt eine, wenn es sie gibt.</translation>
    </message>
    <message>
        <source>Which cases to go through.</source>
        <translation>Welche Fälle durchgesehen werden.</translation>
    </message>
    <message>
        <source>With mask</source>
        <translation>Mit Maske</translation>
    </message>
    <message>
        <source>levelled: the face and all that lies in front of it; cannot be undone from the file. The others fill the mask only, and its border is still the old skin: percentile (10th percentile of the scan without padding), published (the same with padding, as in the paper), air (-1000 HU), number (HU of your choice).</source>
        <translation>levelled: das Gesicht und alles, was davor liegt; aus der Datei nicht umkehrbar. Die anderen füllen nur die Maske, deren Rand noch die alte Haut ist: percentile (10. Perzentil der Aufnahme ohne Auffüllung), published (dasselbe mit Auffüllung, wie veröffentlicht), air (-1000 HE), number (HE Ihrer Wahl).</translation>
    </message>
    <message>
        <source>not made yet</source>
        <translation>noch nicht erstellt</translation>
    </message>
</context>
<context>
    <name>CTADefaceSend</name>
    <message>
        <source>AE title of the node:</source>
        <translation>AE-Titel des Knotens:</translation>
    </message>
    <message>
        <source>Address:</source>
        <translation>Adresse:</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Many nodes only talk to AE titles that they know.</source>
        <translation>Viele Knoten sprechen nur mit AE-Titeln, die sie kennen.</translation>
    </message>
    <message>
        <source>Name or IP address of the DICOM node.</source>
        <translation>Name oder IP-Adresse des DICOM-Knotens.</translation>
    </message>
    <message>
        <source>Own AE title:</source>
        <translation>Eigener AE-Titel:</translation>
    </message>
    <message>
        <source>Port:</source>
        <translation>Port:</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>Testen</translation>
    </message>
</context>
<context>
    <name>export.dicom_export</name>
    <message>
        <source>{name}: its DICOM files are not in Slicer's database any more; import them again in the DICOM module and load the volume from there.</source>
        <translation>{name}: Die DICOM-Dateien sind nicht mehr in der Datenbank von Slicer; importieren Sie sie im Modul DICOM neu und laden Sie das Volumen von dort.</translation>
    </message>
    <message>
        <source>{name}: its voxels are not those of its DICOM files, it was changed after it was loaded; load it again, or export it as a new series.</source>
        <translation>{name}: Die Voxel sind nicht die der DICOM-Dateien, das Volumen wurde nach dem Laden verändert; laden Sie es neu, oder exportieren Sie es als neue Serie.</translation>
    </message>
    <message>
        <source>{name}: was not loaded from DICOM; ask for a new series.</source>
        <translation>{name}: wurde nicht aus DICOM geladen; fordern Sie eine neue Serie an.</translation>
    </message>
</context>
<context>
    <name>export.file_export</name>
    <message>
        <source>{path}: unknown kind of file; choose a name that ends in {extensions}.</source>
        <translation>{path}: unbekannte Dateiart; wählen Sie einen Namen, der auf {extensions} endet.</translation>
    </message>
</context>
<context>
    <name>export.node_export</name>
    <message>
        <source>No volume</source>
        <translation>Kein Volumen</translation>
    </message>
    <message>
        <source>defaced</source>
        <translation>ohne Gesicht</translation>
    </message>
    <message>
        <source>{name}: is not a volume that Apply fill made, or its original or mask has left the scene, so that it cannot be checked; apply the fill and export its result.</source>
        <translation>{name}: ist kein Volumen, das "Füllen" erstellt hat, oder sein Original oder seine Maske ist nicht mehr in der Szene, sodass es nicht geprüft werden kann; füllen Sie das Gesicht und exportieren Sie das Ergebnis.</translation>
    </message>
</context>
<context>
    <name>packages.consent</name>
    <message>
        <source>About {size} are downloaded from the Python and PyTorch package servers.</source>
        <translation>Etwa {size} werden von den Paketservern von Python und PyTorch heruntergeladen.</translation>
    </message>
    <message>
        <source>CTADeface needs these Python packages:</source>
        <translation>CTADeface braucht diese Python-Pakete:</translation>
    </message>
    <message>
        <source>No image and no other data of yours is sent. Install them now?</source>
        <translation>Es werden keine Bilder und keine anderen Daten von Ihnen gesendet. Jetzt installieren?</translation>
    </message>
    <message>
        <source>Nothing is downloaded; they come from {folder}.</source>
        <translation>Es wird nichts heruntergeladen; sie kommen aus {folder}.</translation>
    </message>
    <message>
        <source>Nothing was installed or removed, because this was declined; press the button again when you want it.</source>
        <translation>Es wurde nichts installiert oder entfernt, weil das abgelehnt wurde; drücken Sie den Knopf noch einmal, wenn Sie es möchten.</translation>
    </message>
    <message>
        <source>Nothing was installed, because nobody can be asked in Slicer's testing mode; install the packages in a Slicer that was started without it.</source>
        <translation>Es wurde nichts installiert, weil im Testmodus von Slicer niemand gefragt werden kann; installieren Sie die Pakete in einem Slicer, der ohne ihn gestartet wurde.</translation>
    </message>
    <message>
        <source>They take about {size} in {folder}.</source>
        <translation>Sie brauchen etwa {size} in {folder}.</translation>
    </message>
    <message>
        <source>computes with images</source>
        <translation>rechnet mit Bildern</translation>
    </message>
    <message>
        <source>defines the network; brings what it needs itself</source>
        <translation>beschreibt das neuronale Netz; bringt mit, was es selbst braucht</translation>
    </message>
    <message>
        <source>needed by nnunetv2</source>
        <translation>wird von nnunetv2 gebraucht</translation>
    </message>
    <message>
        <source>reads and resamples images</source>
        <translation>liest Bilder und tastet sie neu ab</translation>
    </message>
    <message>
        <source>runs the neural network</source>
        <translation>führt das neuronale Netz aus</translation>
    </message>
</context>
<context>
    <name>packages.install</name>
    <message>
        <source>CTADeface - Install packages</source>
        <translation>CTADeface - Pakete installieren</translation>
    </message>
    <message>
        <source>CTADeface - Repair packages</source>
        <translation>CTADeface - Pakete reparieren</translation>
    </message>
    <message>
        <source>Python packages are being installed already; wait until that has ended.</source>
        <translation>Python-Pakete werden schon installiert; warten Sie, bis das beendet ist.</translation>
    </message>
    <message>
        <source>The installation ended, but is not complete. {reason}</source>
        <translation>Die Installation ist beendet, aber nicht vollständig. {reason}</translation>
    </message>
    <message>
        <source>These incomplete parts are removed from {folder}: {names}</source>
        <translation>Diese unvollständigen Teile werden aus {folder} entfernt: {names}</translation>
    </message>
    <message>
        <source>{name} in place of {version}</source>
        <translation>{name} anstelle von {version}</translation>
    </message>
    <message>
        <source>{name} was replaced by a newer version while Slicer was using it; restart Slicer.</source>
        <translation>{name} wurde durch eine neuere Version ersetzt, während Slicer es benutzte; starten Sie Slicer neu.</translation>
    </message>
    <message>
        <source>{path} cannot be removed ({why}); restart Slicer and press Repair packages before anything else.</source>
        <translation>{path} kann nicht entfernt werden ({why}); starten Sie Slicer neu und drücken Sie vor allem anderen "Pakete reparieren".</translation>
    </message>
    <message>
        <source>{purpose} needs these Python packages: {names}. They take about 50 MB, and all of Slicer uses them. No image and no other data of yours is sent. Install them now?</source>
        <translation>{purpose} braucht diese Python-Pakete: {names}. Sie belegen etwa 50 MB, und ganz Slicer benutzt sie. Es werden keine Bilder und keine anderen Daten von Ihnen gesendet. Jetzt installieren?</translation>
    </message>
</context>
<context>
    <name>packages.installed</name>
    <message>
        <source>These Python packages are missing: {names}; press Install packages.</source>
        <translation>Diese Python-Pakete fehlen: {names}; drücken Sie "Pakete installieren".</translation>
    </message>
    <message>
        <source>it is not registered</source>
        <translation>es ist nicht registriert</translation>
    </message>
    <message>
        <source>several versions are registered</source>
        <translation>mehrere Versionen sind registriert</translation>
    </message>
    <message>
        <source>{entry} is left over from an interrupted installation</source>
        <translation>{entry} ist von einer abgebrochenen Installation übrig</translation>
    </message>
    <message>
        <source>{fault}; press Repair packages.</source>
        <translation>{fault}; drücken Sie "Pakete reparieren".</translation>
    </message>
    <message>
        <source>{name} is only half installed ({what})</source>
        <translation>{name} ist nur halb installiert ({what})</translation>
    </message>
    <message>
        <source>{path} is missing</source>
        <translation>{path} fehlt</translation>
    </message>
</context>
<context>
    <name>packages.pip_run</name>
    <message>
        <source>Installing {names} failed: {lines}
Check the network and the free disk space, restart Slicer and press Install packages again, or install from a folder of wheels.</source>
        <translation>Die Installation von {names} ist fehlgeschlagen: {lines}
Prüfen Sie das Netzwerk und den freien Speicherplatz, starten Sie Slicer neu und drücken Sie noch einmal "Pakete installieren", oder installieren Sie aus einem Ordner mit Wheel-Dateien.</translation>
    </message>
</context>
<context>
    <name>packages.preflight</name>
    <message>
        <source>An older torch is taken, because the path {folder} is too long for torch 2.13 and later; install Slicer in a shorter folder to get the newest.</source>
        <translation>Es wird ein älteres torch genommen, weil der Pfad {folder} für torch ab 2.13 zu lang ist; für das neueste muss Slicer in einem kürzeren Ordner installiert sein.</translation>
    </message>
    <message>
        <source>The packages cannot be written to {folder} ({why}); start Slicer as a user who may write there.</source>
        <translation>Die Pakete können nicht nach {folder} geschrieben werden ({why}); starten Sie Slicer als Benutzer, der dort schreiben darf.</translation>
    </message>
    <message>
        <source>The packages take about {need}, but {free} are free at {folder}; free some space.</source>
        <translation>Die Pakete brauchen etwa {need}, bei {folder} sind aber nur {free} frei; schaffen Sie Platz.</translation>
    </message>
    <message>
        <source>The path {folder} is too long for torch; install Slicer in a shorter folder.</source>
        <translation>Der Pfad {folder} ist zu lang für torch; installieren Sie Slicer in einem kürzeren Ordner.</translation>
    </message>
    <message>
        <source>This Slicer is built for Intel processors, for which there is no PyTorch of today on a Mac; use a Slicer for Apple silicon (arm64). Masks drawn by hand can be filled and exported here.</source>
        <translation>Dieser Slicer ist für Intel-Prozessoren gebaut, für die es auf dem Mac kein heutiges PyTorch gibt; nehmen Sie einen Slicer für Apple silicon (arm64). Von Hand gezeichnete Masken können hier gefüllt und exportiert werden.</translation>
    </message>
    <message>
        <source>This Slicer's SimpleITK is absent or too old for CTADeface; use a newer Slicer.</source>
        <translation>Das SimpleITK dieses Slicers fehlt oder ist zu alt für CTADeface; nehmen Sie einen neueren Slicer.</translation>
    </message>
    <message>
        <source>Windows cannot replace torch while Slicer has it loaded; restart Slicer and install first.</source>
        <translation>Windows kann torch nicht ersetzen, solange Slicer es geladen hat; starten Sie Slicer neu und installieren Sie zuerst.</translation>
    </message>
</context>
<context>
    <name>packages.wheel_folder</name>
    <message>
        <source>{folder} has no wheel for this Python ({tag}) of {names}; make the folder with the same Slicer on a computer that has a network: PythonSlicer -m pip wheel {requirements} -w FOLDER</source>
        <translation>{folder} enthält für dieses Python ({tag}) kein Wheel von {names}; erstellen Sie den Ordner mit demselben Slicer auf einem Rechner mit Netzwerk: PythonSlicer -m pip wheel {requirements} -w ORDNER</translation>
    </message>
</context>
<context>
    <name>panel.case_steps</name>
    <message>
        <source>Apply the fill.</source>
        <translation>Füllen Sie das Gesicht.</translation>
    </message>
    <message>
        <source>Check what would be exported.</source>
        <translation>Prüfen Sie, was exportiert würde.</translation>
    </message>
    <message>
        <source>Checks that warn: {count}. Look at each of them, then export.</source>
        <translation>Prüfungen mit Warnung: {count}. Sehen Sie sich jede an, dann exportieren Sie.</translation>
    </message>
    <message>
        <source>Export the defaced volume.</source>
        <translation>Exportieren Sie das Volumen ohne Gesicht.</translation>
    </message>
    <message>
        <source>Exported. What was written is linked below; choose the next volume.</source>
        <translation>Exportiert. Links zu den Dateien stehen unten; wählen Sie das nächste Volumen.</translation>
    </message>
    <message>
        <source>Failed checks: {count}. Correct the mask, or override each with a reason.</source>
        <translation>Nicht bestandene Prüfungen: {count}. Korrigieren Sie die Maske, oder übergehen Sie jede mit einer Begründung.</translation>
    </message>
    <message>
        <source>Load a head CT and choose it as volume.</source>
        <translation>Laden Sie ein Kopf-CT und wählen Sie es als Volumen.</translation>
    </message>
    <message>
        <source>Look at the checks that warn ({count}), and at the mask in slices and preview; correct it where needed.</source>
        <translation>Sehen Sie sich die Prüfungen mit Warnung ({count}) an und die Maske in Schichten und Vorschau; korrigieren Sie sie, wo nötig.</translation>
    </message>
    <message>
        <source>Look at the mask in the slices and in the preview; correct it where it misses the face.</source>
        <translation>Sehen Sie sich die Maske in den Schichten und in der Vorschau an; korrigieren Sie sie, wo sie das Gesicht verfehlt.</translation>
    </message>
    <message>
        <source>Press Deface, or make the mask step by step.</source>
        <translation>Drücken Sie "Gesicht entfernen", oder erstellen Sie die Maske Schritt für Schritt.</translation>
    </message>
    <message>
        <source>The mask is empty: draw the face.</source>
        <translation>Die Maske ist leer: Zeichnen Sie das Gesicht.</translation>
    </message>
    <message>
        <source>Wait for the mask, or press Cancel.</source>
        <translation>Warten Sie auf die Maske, oder drücken Sie "Abbrechen".</translation>
    </message>
</context>
<context>
    <name>panel.check_titles</name>
    <message>
        <source>Bone untouched</source>
        <translation>Knochen unberührt</translation>
    </message>
    <message>
        <source>Brain untouched</source>
        <translation>Gehirn unberührt</translation>
    </message>
    <message>
        <source>Brows covered</source>
        <translation>Brauen bedeckt</translation>
    </message>
    <message>
        <source>Chin covered</source>
        <translation>Kinn bedeckt</translation>
    </message>
    <message>
        <source>Face recognition</source>
        <translation>Gesichtserkennung</translation>
    </message>
    <message>
        <source>Face still in the input</source>
        <translation>Gesicht war noch da</translation>
    </message>
    <message>
        <source>Field of view</source>
        <translation>Bildausschnitt</translation>
    </message>
    <message>
        <source>File reads back</source>
        <translation>Datei wieder lesbar</translation>
    </message>
    <message>
        <source>Forehead covered</source>
        <translation>Stirn bedeckt</translation>
    </message>
    <message>
        <source>Head found</source>
        <translation>Kopf gefunden</translation>
    </message>
    <message>
        <source>Input is a CT</source>
        <translation>Eingabe ist ein CT</translation>
    </message>
    <message>
        <source>Kept structures</source>
        <translation>Erhaltene Strukturen</translation>
    </message>
    <message>
        <source>Left cheek covered</source>
        <translation>Linke Wange bedeckt</translation>
    </message>
    <message>
        <source>Left ear gone</source>
        <translation>Linkes Ohr entfernt</translation>
    </message>
    <message>
        <source>Left eye covered</source>
        <translation>Linkes Auge bedeckt</translation>
    </message>
    <message>
        <source>Left jaw line covered</source>
        <translation>Linke Kieferlinie bedeckt</translation>
    </message>
    <message>
        <source>Mask is filled</source>
        <translation>Maske ist gefüllt</translation>
    </message>
    <message>
        <source>Mouth covered</source>
        <translation>Mund bedeckt</translation>
    </message>
    <message>
        <source>No second head</source>
        <translation>Kein zweiter Kopf</translation>
    </message>
    <message>
        <source>Nose covered</source>
        <translation>Nase bedeckt</translation>
    </message>
    <message>
        <source>Place of the mask</source>
        <translation>Lage der Maske</translation>
    </message>
    <message>
        <source>Rest bit-identical</source>
        <translation>Rest bitgleich</translation>
    </message>
    <message>
        <source>Right cheek covered</source>
        <translation>Rechte Wange bedeckt</translation>
    </message>
    <message>
        <source>Right ear gone</source>
        <translation>Rechtes Ohr entfernt</translation>
    </message>
    <message>
        <source>Right eye covered</source>
        <translation>Rechtes Auge bedeckt</translation>
    </message>
    <message>
        <source>Right jaw line covered</source>
        <translation>Rechte Kieferlinie bedeckt</translation>
    </message>
    <message>
        <source>Size of the mask</source>
        <translation>Größe der Maske</translation>
    </message>
    <message>
        <source>Skin below the chin covered</source>
        <translation>Haut unter dem Kinn bedeckt</translation>
    </message>
    <message>
        <source>Skin left in the face</source>
        <translation>Haut im Gesicht übrig</translation>
    </message>
    <message>
        <source>Skin left in holes and notches</source>
        <translation>Haut in Löchern und Kerben übrig</translation>
    </message>
    <message>
        <source>Vessels untouched</source>
        <translation>Gefäße unberührt</translation>
    </message>
    <message>
        <source>What the model calls face</source>
        <translation>Was das Modell Gesicht nennt</translation>
    </message>
    <message>
        <source>fail</source>
        <translation>nicht bestanden</translation>
    </message>
    <message>
        <source>not applicable</source>
        <translation>nicht anwendbar</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>bestanden</translation>
    </message>
    <message>
        <source>warn</source>
        <translation>Warnung</translation>
    </message>
</context>
<context>
    <name>panel.checks_section</name>
    <message>
        <source>Check</source>
        <translation>Prüfung</translation>
    </message>
    <message>
        <source>Check the mask and what would be exported.</source>
        <translation>Die Maske prüfen und das, was exportiert würde.</translation>
    </message>
    <message>
        <source>Choose a failed check in the table first.</source>
        <translation>Wählen Sie zuerst in der Tabelle eine Prüfung, die nicht bestanden ist.</translation>
    </message>
    <message>
        <source>Export in spite of the chosen check; the reason goes into the record.</source>
        <translation>Trotz der gewählten Prüfung exportieren; die Begründung kommt ins Protokoll.</translation>
    </message>
    <message>
        <source>Failed checks: {count}. Correct the mask, or override each with a reason.</source>
        <translation>Nicht bestandene Prüfungen: {count}. Korrigieren Sie die Maske, oder übergehen Sie jede mit einer Begründung.</translation>
    </message>
    <message>
        <source>May be exported.</source>
        <translation>Darf exportiert werden.</translation>
    </message>
    <message>
        <source>Not checked yet; export checks too.</source>
        <translation>Noch nicht geprüft; auch der Export prüft.</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>Zahl</translation>
    </message>
    <message>
        <source>Overridden: {check}, because: {reason}</source>
        <translation>Übergangen: {check}, weil: {reason}</translation>
    </message>
    <message>
        <source>Overridden: {reason}</source>
        <translation>Übergangen: {reason}</translation>
    </message>
    <message>
        <source>Type a reason first; it goes into the record.</source>
        <translation>Geben Sie zuerst eine Begründung ein; sie kommt ins Protokoll.</translation>
    </message>
</context>
<context>
    <name>panel.deface_section</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Checking...</source>
        <translation>Es wird geprüft...</translation>
    </message>
    <message>
        <source>Deface</source>
        <translation>Gesicht entfernen</translation>
    </message>
    <message>
        <source>Defaced, and every check passed. Look at it, then export.</source>
        <translation>Das Gesicht ist entfernt und jede Prüfung bestanden. Sehen Sie es sich an, dann exportieren Sie.</translation>
    </message>
    <message>
        <source>Filling the face...</source>
        <translation>Das Gesicht wird gefüllt...</translation>
    </message>
    <message>
        <source>Look at this check before you export: {title}.</source>
        <translation>Sehen Sie sich vor dem Export diese Prüfung an: {title}.</translation>
    </message>
    <message>
        <source>Make the mask, unless there is one, fill the face and check the result. It stops where you must look, and never exports by itself.</source>
        <translation>Die Maske erstellen, wenn es noch keine gibt, das Gesicht füllen und das Ergebnis prüfen. Hält an, wo Sie hinsehen müssen, und exportiert nie von selbst.</translation>
    </message>
    <message>
        <source>Stop at once; the scene stays as it was.</source>
        <translation>Sofort anhalten; die Szene bleibt, wie sie war.</translation>
    </message>
</context>
<context>
    <name>panel.export_section</name>
    <message>
        <source>DICOM export</source>
        <translation>Der DICOM-Export</translation>
    </message>
    <message>
        <source>Export defaced volume</source>
        <translation>Volumen ohne Gesicht exportieren</translation>
    </message>
    <message>
        <source>Fill the face as it is masked now, check it, and write the result to a file. A failed check stops the export until it is overridden with a reason.</source>
        <translation>Das Gesicht füllen, wie es jetzt maskiert ist, prüfen und das Ergebnis in eine Datei schreiben. Eine nicht bestandene Prüfung hält den Export auf, bis sie mit einer Begründung übergangen wird.</translation>
    </message>
    <message>
        <source>Folder to export DICOM files to</source>
        <translation>Ordner, in den DICOM-Dateien exportiert werden</translation>
    </message>
    <message>
        <source>Make or update the defaced volume; the input is never changed.</source>
        <translation>Das Volumen ohne Gesicht erstellen oder erneuern; die Eingabe wird nie verändert.</translation>
    </message>
    <message>
        <source>Not defaced and not written:</source>
        <translation>Gesicht nicht entfernt und nicht geschrieben:</translation>
    </message>
    <message>
        <source>Only the segment {face} is filled. Not filled: {names}. Continue?</source>
        <translation>Nur das Segment {face} wird gefüllt. Nicht gefüllt: {names}. Fortfahren?</translation>
    </message>
    <message>
        <source>Write the DICOM files that the volume was loaded from, with the face filled, as a new series. A failed check stops the export too.</source>
        <translation>Die DICOM-Dateien, aus denen das Volumen geladen wurde, mit gefülltem Gesicht als neue Serie schreiben. Eine nicht bestandene Prüfung hält auch diesen Export auf.</translation>
    </message>
    <message>
        <source>Written: {paths}</source>
        <translation>Geschrieben: {paths}</translation>
    </message>
    <message>
        <source>not made yet</source>
        <translation>noch nicht erstellt</translation>
    </message>
    <message>
        <source>{name} is filled.</source>
        <translation>{name} ist gefüllt.</translation>
    </message>
    <message>
        <source>{name} was not loaded from DICOM. Write it as a new CT series, without patient, dates, or link to other series? Values are rounded to whole HU.</source>
        <translation>{name} wurde nicht aus DICOM geladen. Als neue CT-Serie schreiben, ohne Patient, Daten und Verbindung zu anderen Serien? Die Werte werden auf ganze HE gerundet.</translation>
    </message>
    <message>
        <source>{path} exists already. Replace it?</source>
        <translation>{path} gibt es schon. Ersetzen?</translation>
    </message>
    <message>
        <source>The mask as DICOM SEG</source>
        <translation>Die Maske als DICOM-SEG</translation>
    </message>
</context>
<context>
    <name>panel.keep_row</name>
    <message>
        <source>Choose segments that are never filled, such as orbits, lymph nodes or target volumes.</source>
        <translation>Segmente wählen, die nie gefüllt werden, etwa Augenhöhlen, Lymphknoten oder Zielvolumina.</translation>
    </message>
    <message>
        <source>Keep nothing</source>
        <translation>Nichts erhalten</translation>
    </message>
    <message>
        <source>Keep: {what}</source>
        <translation>Erhalten: {what}</translation>
    </message>
    <message>
        <source>Never filled: {names}</source>
        <translation>Wird nie gefüllt: {names}</translation>
    </message>
    <message>
        <source>No longer in the scene: {names}</source>
        <translation>Nicht mehr in der Szene: {names}</translation>
    </message>
    <message>
        <source>Segments: {count}</source>
        <translation>Segmente: {count}</translation>
    </message>
    <message>
        <source>The scene has no segments but faces; load or draw some.</source>
        <translation>Die Szene hat außer Gesichtern keine Segmente; laden oder zeichnen Sie welche.</translation>
    </message>
    <message>
        <source>To be kept, but no longer in the scene: {names}. Choose again what is kept.</source>
        <translation>Soll erhalten bleiben, ist aber nicht mehr in der Szene: {names}. Wählen Sie neu, was erhalten bleibt.</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>nichts</translation>
    </message>
</context>
<context>
    <name>panel.links</name>
    <message>
        <source>Exported: {link}</source>
        <translation>Exportiert: {link}</translation>
    </message>
    <message>
        <source>For the hospital only, in {folder}: {links}</source>
        <translation>Nur für das Krankenhaus, in {folder}: {links}</translation>
    </message>
</context>
<context>
    <name>panel.packages_section</name>
    <message>
        <source>All packages are installed.</source>
        <translation>Alle Pakete sind installiert.</translation>
    </message>
    <message>
        <source>Python packages are being installed; this can take minutes.</source>
        <translation>Python-Pakete werden installiert; das kann Minuten dauern.</translation>
    </message>
</context>
<context>
    <name>panel.preview_section</name>
    <message>
        <source>Key: {key}</source>
        <translation>Taste: {key}</translation>
    </message>
    <message>
        <source>Look at the face from the front.</source>
        <translation>Das Gesicht von vorne ansehen.</translation>
    </message>
    <message>
        <source>Look at the face from the side and above.</source>
        <translation>Das Gesicht schräg von der Seite ansehen.</translation>
    </message>
    <message>
        <source>Show the CT-Muscle rendering of the volume as it is.</source>
        <translation>Das Volumen, wie es ist, in der Darstellung CT-Muscle zeigen.</translation>
    </message>
    <message>
        <source>Show the original and what would be exported beside each other; the cameras are linked.</source>
        <translation>Das Original und das, was exportiert würde, nebeneinander zeigen; die Kameras sind verbunden.</translation>
    </message>
    <message>
        <source>Show the rendering of what would be exported.</source>
        <translation>Die Darstellung dessen zeigen, was exportiert würde.</translation>
    </message>
    <message>
        <source>Show the rendering with the face mask.</source>
        <translation>Die Darstellung mit der Gesichtsmaske zeigen.</translation>
    </message>
</context>
<context>
    <name>panel.refine_section</name>
    <message>
        <source>Grow the mask by 1 mm, at least by one voxel.</source>
        <translation>Die Maske um 1 mm vergrößern, mindestens um einen Voxel.</translation>
    </message>
    <message>
        <source>Keep the largest connected piece only.</source>
        <translation>Nur das größte zusammenhängende Stück behalten.</translation>
    </message>
    <message>
        <source>Shrink the mask by 1 mm, at least by one voxel.</source>
        <translation>Die Maske um 1 mm verkleinern, mindestens um einen Voxel.</translation>
    </message>
    <message>
        <source>Take bone and teeth (above 300 HU) out of the mask.</source>
        <translation>Knochen und Zähne (über 300 HE) aus der Maske nehmen.</translation>
    </message>
    <message>
        <source>Undo all edits: the mask as the model proposed it.</source>
        <translation>Alle Änderungen zurücknehmen: die Maske, wie das Modell sie vorgeschlagen hat.</translation>
    </message>
</context>
<context>
    <name>panel.review_section</name>
    <message>
        <source>Add scan and mask to an nnU-Net dataset, without names or identifiers. The scan shows the face: for the hospital only.</source>
        <translation>Aufnahme und Maske ohne Namen und Kennungen zu einem nnU-Net-Datensatz hinzufügen. Die Aufnahme zeigt das Gesicht: nur für das Krankenhaus.</translation>
    </message>
    <message>
        <source>Added to the training set as {name}.</source>
        <translation>Zu den Trainingsdaten hinzugefügt als {name}.</translation>
    </message>
    <message>
        <source>All cases</source>
        <translation>Alle Fälle</translation>
    </message>
    <message>
        <source>Blocked or failed</source>
        <translation>Gesperrt oder fehlgeschlagen</translation>
    </message>
    <message>
        <source>Choose a case first.</source>
        <translation>Wählen Sie zuerst einen Fall.</translation>
    </message>
    <message>
        <source>Deface it again with the mask as it is now (Alt+S), check it, and replace what was released.</source>
        <translation>Das Gesicht mit der jetzigen Maske noch einmal entfernen (Alt+S), prüfen und das Freigegebene ersetzen.</translation>
    </message>
    <message>
        <source>Failed: {check} ({count})</source>
        <translation>Nicht bestanden: {check} ({count})</translation>
    </message>
    <message>
        <source>Folder of the training set (hospital only)</source>
        <translation>Ordner der Trainingsdaten (nur für das Krankenhaus)</translation>
    </message>
    <message>
        <source>It may leave as it is (Alt+A).</source>
        <translation>Der Fall darf so hinaus, wie er ist (Alt+A).</translation>
    </message>
    <message>
        <source>It must not leave (Alt+R): its released files are deleted. The original stays.</source>
        <translation>Der Fall darf nicht hinaus (Alt+R): Seine freigegebenen Dateien werden gelöscht. Das Original bleibt.</translation>
    </message>
    <message>
        <source>Not reviewed yet</source>
        <translation>Noch nicht durchgesehen</translation>
    </message>
    <message>
        <source>Nothing of it was released; correct or reject it.</source>
        <translation>Davon wurde nichts freigegeben; korrigieren Sie den Fall oder lehnen Sie ihn ab.</translation>
    </message>
    <message>
        <source>Open a batch first.</source>
        <translation>Öffnen Sie zuerst einen Stapel.</translation>
    </message>
    <message>
        <source>Open the folder &lt;output&gt;-hospital-only of a finished batch.</source>
        <translation>Öffnen Sie den Ordner &lt;Ausgabe&gt;-hospital-only eines fertigen Stapels.</translation>
    </message>
    <message>
        <source>Reject {case}? Its released files are deleted; the original stays.</source>
        <translation>{case} ablehnen? Die freigegebenen Dateien werden gelöscht; das Original bleibt.</translation>
    </message>
    <message>
        <source>Segment or draw the face first.</source>
        <translation>Segmentieren oder zeichnen Sie zuerst das Gesicht.</translation>
    </message>
    <message>
        <source>The case could not be read.</source>
        <translation>Der Fall konnte nicht gelesen werden.</translation>
    </message>
    <message>
        <source>The next case (Alt+N).</source>
        <translation>Der nächste Fall (Alt+N).</translation>
    </message>
    <message>
        <source>The previous case (Alt+B).</source>
        <translation>Der vorige Fall (Alt+B).</translation>
    </message>
    <message>
        <source>Warned: {check} ({count})</source>
        <translation>Gewarnt: {check} ({count})</translation>
    </message>
    <message>
        <source>With a warning</source>
        <translation>Mit einer Warnung</translation>
    </message>
    <message>
        <source>accepted</source>
        <translation>angenommen</translation>
    </message>
    <message>
        <source>blocked by a check</source>
        <translation>von einer Prüfung gesperrt</translation>
    </message>
    <message>
        <source>corrected</source>
        <translation>korrigiert</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>fehlgeschlagen</translation>
    </message>
    <message>
        <source>mask only</source>
        <translation>nur Maske</translation>
    </message>
    <message>
        <source>rejected</source>
        <translation>abgelehnt</translation>
    </message>
    <message>
        <source>released</source>
        <translation>freigegeben</translation>
    </message>
    <message>
        <source>{done} of {count} reviewed.</source>
        <translation>{done} von {count} durchgesehen.</translation>
    </message>
</context>
<context>
    <name>panel.section</name>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Load a head CT and choose it as volume first.</source>
        <translation>Laden Sie zuerst ein Kopf-CT und wählen Sie es als Volumen.</translation>
    </message>
    <message>
        <source>Segment the face first.</source>
        <translation>Segmentieren Sie zuerst das Gesicht.</translation>
    </message>
</context>
<context>
    <name>panel.segment_section</name>
    <message>
        <source>Add model from folder...</source>
        <translation>Modell aus Ordner hinzufügen...</translation>
    </message>
    <message>
        <source>Add model from zip file...</source>
        <translation>Modell aus ZIP-Datei hinzufügen...</translation>
    </message>
    <message>
        <source>Begin with an empty mask, without the network and its packages.</source>
        <translation>Mit einer leeren Maske beginnen, ohne das neuronale Netz und seine Pakete.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancel first.</source>
        <translation>Brechen Sie zuerst ab.</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Face mask: {ml:.0f} ml</source>
        <translation>Gesichtsmaske: {ml:.0f} ml</translation>
    </message>
    <message>
        <source>Find the face in the volume and propose a mask.</source>
        <translation>Das Gesicht im Volumen finden und eine Maske vorschlagen.</translation>
    </message>
    <message>
        <source>Model folder or results folder of nnU-Net</source>
        <translation>Modellordner oder Ergebnisordner von nnU-Net</translation>
    </message>
    <message>
        <source>Segment face</source>
        <translation>Gesicht segmentieren</translation>
    </message>
    <message>
        <source>Segmenting {name} with {model} on {device}</source>
        <translation>{name} wird mit {model} auf {device} segmentiert</translation>
    </message>
    <message>
        <source>Stop at once; the scene stays as it was.</source>
        <translation>Sofort anhalten; die Szene bleibt, wie sie war.</translation>
    </message>
    <message>
        <source>The face mask of {name} was edited. Replace it by a new proposal of the model?</source>
        <translation>Die Gesichtsmaske von {name} wurde bearbeitet. Durch einen neuen Vorschlag des Modells ersetzen?</translation>
    </message>
    <message>
        <source>There is a mask already; correct it below.</source>
        <translation>Es gibt schon eine Maske; korrigieren Sie sie unten.</translation>
    </message>
    <message>
        <source>Zip file of a model</source>
        <translation>ZIP-Datei eines Modells</translation>
    </message>
    <message>
        <source>filling</source>
        <translation>füllt</translation>
    </message>
    <message>
        <source>finishing</source>
        <translation>schließt ab</translation>
    </message>
    <message>
        <source>loading the model</source>
        <translation>lädt das Modell</translation>
    </message>
    <message>
        <source>reading the volume</source>
        <translation>liest das Volumen</translation>
    </message>
    <message>
        <source>refining</source>
        <translation>verfeinert</translation>
    </message>
    <message>
        <source>segmenting</source>
        <translation>segmentiert</translation>
    </message>
    <message>
        <source>starting</source>
        <translation>startet</translation>
    </message>
    <message>
        <source>{name} (unusable)</source>
        <translation>{name} (nicht verwendbar)</translation>
    </message>
    <message>
        <source>{seconds:.0f} s left</source>
        <translation>noch {seconds:.0f} s</translation>
    </message>
</context>
<context>
    <name>panel.send_dialog</name>
    <message>
        <source>Ask the node whether it answers (C-ECHO); no image is sent.</source>
        <translation>Den Knoten fragen, ob er antwortet (C-ECHO); kein Bild wird gesendet.</translation>
    </message>
    <message>
        <source>Asking {peer}...</source>
        <translation>{peer} wird gefragt...</translation>
    </message>
    <message>
        <source>Send the exported files to this node.</source>
        <translation>Die exportierten Dateien an diesen Knoten senden.</translation>
    </message>
    <message>
        <source>The node is being asked already.</source>
        <translation>Der Knoten wird schon gefragt.</translation>
    </message>
    <message>
        <source>Type both AE titles first: 1 to 16 ASCII characters without a backslash.</source>
        <translation>Zuerst beide AE-Titel eingeben: 1 bis 16 ASCII-Zeichen ohne umgekehrten Schrägstrich.</translation>
    </message>
    <message>
        <source>Type the address of the DICOM node first.</source>
        <translation>Zuerst die Adresse des DICOM-Knotens eingeben.</translation>
    </message>
    <message>
        <source>{peer} answers.</source>
        <translation>{peer} antwortet.</translation>
    </message>
</context>
<context>
    <name>panel.send_section</name>
    <message>
        <source>Cancelled; what was taken before, and perhaps the file on its way, stays there.</source>
        <translation>Abgebrochen; was schon angenommen wurde, und vielleicht die Datei auf dem Weg, bleibt dort.</translation>
    </message>
    <message>
        <source>Export DICOM first: only files of this case as it is now, which the checks let pass, can be sent.</source>
        <translation>Zuerst DICOM exportieren: Nur Dateien dieses Falls in seinem jetzigen Stand, die die Prüfungen durchgelassen haben, können gesendet werden.</translation>
    </message>
    <message>
        <source>Exported series of this case: {count}. Their files leave this computer as they were exported; headers that were not de-identified name the patient.</source>
        <translation>Exportierte Serien dieses Falls: {count}. Ihre Dateien verlassen diesen Computer so, wie sie exportiert wurden; Header, die nicht de-identifiziert wurden, nennen den Patienten.</translation>
    </message>
    <message>
        <source>Not taken:</source>
        <translation>Nicht angenommen:</translation>
    </message>
    <message>
        <source>Send the exported DICOM files of this case to a DICOM node that you name. What the hospital keeps is never sent.</source>
        <translation>Die exportierten DICOM-Dateien dieses Falls an einen DICOM-Knoten senden, den Sie nennen. Was im Krankenhaus bleibt, wird nie gesendet.</translation>
    </message>
    <message>
        <source>Sending to a DICOM node</source>
        <translation>Das Senden an einen DICOM-Knoten</translation>
    </message>
    <message>
        <source>{taken} of {count} files were taken by {peer} ({address}, port {port}).</source>
        <translation>{taken} von {count} Dateien hat {peer} angenommen ({address}, Port {port}).</translation>
    </message>
</context>
<context>
    <name>panel.steps_row</name>
    <message>
        <source>A click opens this step.</source>
        <translation>Ein Klick öffnet diesen Schritt.</translation>
    </message>
    <message>
        <source>done</source>
        <translation>erledigt</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>nicht bestanden</translation>
    </message>
    <message>
        <source>next</source>
        <translation>als Nächstes</translation>
    </message>
    <message>
        <source>to do</source>
        <translation>offen</translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <source>Segmentation</source>
        <translation>Segmentierung</translation>
    </message>
</context>
<context>
    <name>scene.cameras</name>
    <message>
        <source>The 3D view has no camera; open a layout with a 3D view.</source>
        <translation>Die 3D-Ansicht hat keine Kamera; öffnen Sie ein Layout mit einer 3D-Ansicht.</translation>
    </message>
</context>
<context>
    <name>scene.face_segment</name>
    <message>
        <source>face mask</source>
        <translation>Gesichtsmaske</translation>
    </message>
    <message>
        <source>{name}: has no face mask yet; segment the face first.</source>
        <translation>{name}: hat noch keine Gesichtsmaske; segmentieren Sie zuerst das Gesicht.</translation>
    </message>
    <message>
        <source>{name}: has no segment called {segment}; segment or draw the face first.</source>
        <translation>{name}: hat kein Segment namens {segment}; segmentieren oder zeichnen Sie zuerst das Gesicht.</translation>
    </message>
    <message>
        <source>{name}: lies outside of {volume}; put both under the same transform, or draw it again.</source>
        <translation>{name}: liegt außerhalb von {volume}; legen Sie beide unter dieselbe Transformation, oder zeichnen Sie es noch einmal.</translation>
    </message>
    <message>
        <source>{name}: the face mask is empty, so that nothing would be removed; segment or draw the face first.</source>
        <translation>{name}: Die Gesichtsmaske ist leer, sodass nichts entfernt würde; segmentieren oder zeichnen Sie zuerst das Gesicht.</translation>
    </message>
    <message>
        <source>{name}: the mask cannot be written.</source>
        <translation>{name}: Die Maske kann nicht geschrieben werden.</translation>
    </message>
</context>
<context>
    <name>scene.kept_segments</name>
    <message>
        <source>{name}: a structure that was to be kept has left the scene ({gone}); choose again what is kept.</source>
        <translation>{name}: Eine Struktur, die erhalten bleiben soll, ist nicht mehr in der Szene ({gone}); wählen Sie neu, was erhalten bleibt.</translation>
    </message>
    <message>
        <source>{name}: cannot be made a labelmap here; install the extension SlicerRT, or make it one in the module Segmentations.</source>
        <translation>{name}: lässt sich hier nicht in eine Labelmap umwandeln; installieren Sie die Erweiterung SlicerRT, oder wandeln Sie es im Modul Segmentations um.</translation>
    </message>
    <message>
        <source>{name}: has no segment {segment} that could be kept; choose another one.</source>
        <translation>{name}: hat kein Segment {segment}, das erhalten werden könnte; wählen Sie ein anderes.</translation>
    </message>
    <message>
        <source>{name}: has no segments that could be kept; choose another segmentation.</source>
        <translation>{name}: hat keine Segmente, die erhalten werden könnten; wählen Sie eine andere Segmentierung.</translation>
    </message>
</context>
<context>
    <name>scene.mask_edits</name>
    <message>
        <source>Nothing would be left of the face mask; it was not changed.</source>
        <translation>Von der Gesichtsmaske bliebe nichts übrig; sie wurde nicht verändert.</translation>
    </message>
    <message>
        <source>{name}: was not made by a model; segment the face first.</source>
        <translation>{name}: wurde von keinem Modell erstellt; segmentieren Sie zuerst das Gesicht.</translation>
    </message>
</context>
<context>
    <name>scene.sample_data</name>
    <message>
        <source>CTA Deface</source>
        <translation>CTA Deface</translation>
    </message>
</context>
<context>
    <name>scene.users_view</name>
    <message>
        <source>The preview needs a 3D view; open a layout with one, or run with a main window.</source>
        <translation>Die Vorschau braucht eine 3D-Ansicht; öffnen Sie ein Layout mit einer, oder starten Sie mit Hauptfenster.</translation>
    </message>
    <message>
        <source>Two views side by side need Slicer's main window.</source>
        <translation>Zwei Ansichten nebeneinander brauchen das Hauptfenster von Slicer.</translation>
    </message>
    <message>
        <source>after</source>
        <translation>nachher</translation>
    </message>
    <message>
        <source>before</source>
        <translation>vorher</translation>
    </message>
</context>
<context>
    <name>scene.volumes</name>
    <message>
        <source>No volume: choose a loaded CT volume.</source>
        <translation>Kein Volumen: Wählen Sie ein geladenes CT-Volumen.</translation>
    </message>
    <message>
        <source>{name}: is a single slice, not a volume; load the whole series.</source>
        <translation>{name}: ist eine einzelne Schicht, kein Volumen; laden Sie die ganze Serie.</translation>
    </message>
    <message>
        <source>{name}: not a scalar volume; choose a CT volume in HU.</source>
        <translation>{name}: kein skalares Volumen; wählen Sie ein CT-Volumen in HE.</translation>
    </message>
</context>
<context>
    <name>slicer_module.cancel_window</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>This takes a moment...</source>
        <translation>Das dauert einen Augenblick...</translation>
    </message>
</context>
<context>
    <name>slicer_module.logic</name>
    <message>
        <source>The volume was changed or removed while it was being segmented; segment it again.</source>
        <translation>Das Volumen wurde während der Segmentierung verändert oder entfernt; segmentieren Sie es noch einmal.</translation>
    </message>
    <message>
        <source>{name}: has a face mask already; correct that one.</source>
        <translation>{name}: hat schon eine Gesichtsmaske; korrigieren Sie diese.</translation>
    </message>
    <message>
        <source>{name}: the input is never written over; choose another output volume.</source>
        <translation>{name}: Die Eingabe wird nie überschrieben; wählen Sie ein anderes Ausgabevolumen.</translation>
    </message>
</context>
<context>
    <name>slicer_module.review</name>
    <message>
        <source>There is no face mask yet; segment or draw the face first.</source>
        <translation>Es gibt noch keine Gesichtsmaske; segmentieren oder zeichnen Sie zuerst das Gesicht.</translation>
    </message>
    <message>
        <source>kept structures</source>
        <translation>erhaltene Strukturen</translation>
    </message>
    <message>
        <source>{case}: its mask or what is kept was edited; save the correction, or undo the edits.</source>
        <translation>{case}: Die Maske oder das, was erhalten bleibt, wurde bearbeitet; speichern Sie die Korrektur, oder machen Sie die Änderungen rückgängig.</translation>
    </message>
</context>
</TS>
