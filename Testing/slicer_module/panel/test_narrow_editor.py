"""The editor's effects stand above the options of the chosen one, which then have the panel's whole width."""

import pytest


@pytest.fixture
def editor(panel, masked):
    return panel.refine_section.editor.widget


def test_options_stand_below_the_effects_and_help_below_the_options(panel, editor):
    import qt

    assert editor.findChild(qt.QBoxLayout, "horizontalLayout").direction() == qt.QBoxLayout.TopToBottom
    assert editor.findChild(qt.QBoxLayout, "verticalLayout_3").direction() == qt.QBoxLayout.LeftToRight
    inside = editor.findChild(qt.QWidget, "OptionsGroupBox").layout()
    names = [inside.itemAt(position).widget().objectName for position in range(inside.count())]
    assert names == ["EffectsOptionsFrame", "EffectHelpBrowser"]


def test_an_editor_that_is_built_otherwise_is_left_as_it_is(panel, editor):
    import qt

    from CTADefaceLib.slicer_module.scene.narrow_editor import make_narrow

    for name in ("horizontalLayout", "verticalLayout_3", "EffectHelpBrowser"):
        editor.findChild(qt.QObject, name).objectName = "other"
    make_narrow(editor)
    assert editor.effectColumnCount == 5


def test_options_of_a_chosen_effect_come_into_view_on_a_small_screen(host, panel, editor):
    import qt

    around, content = qt.QScrollArea(), qt.QWidget()
    around.widgetResizable = True
    column = qt.QVBoxLayout(content)
    column.addSpacing(400)
    column.addWidget(editor)
    around.setWidget(content)
    around.resize(430, 300)
    around.show()
    box = editor.findChild(qt.QWidget, "OptionsGroupBox")
    # The stand-in's effects have few options.
    box.minimumHeight = 60
    host.spin(0.1)
    bar, view = around.verticalScrollBar(), around.viewport()
    assert bar.value == 0 and box.mapTo(view, qt.QPoint(0, 0)).y() > view.height
    editor.setActiveEffectByName("Paint")
    host.spin(0.1)
    assert 0 <= box.mapTo(view, qt.QPoint(0, 0)).y() < box.mapTo(view, qt.QPoint(0, box.height)).y() <= view.height
    # Where a person has scrolled to since, the panel stays.
    bar.setValue(0)
    editor.mrmlSegmentEditorNode().Modified()
    host.spin(0.1)
    assert bar.value == 0
    editor.setParent(None)
