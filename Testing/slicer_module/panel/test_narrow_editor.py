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
