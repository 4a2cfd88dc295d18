"""The page's parts: Gradio's, made of what a setting may be, and our own, which studio.js draws."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import PIL.Image

from impasto.studio.shelf import Painting
from impasto.studio.widgets import LABELS, Widget, widget

# Only what is on every computer: nothing is fetched.
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
# Ultramarine, the painters' blue: white on its 600 has a contrast of 7:1.
ULTRAMARINE = gr.themes.Color(
    name="ultramarine",
    c50="#eef1fd",
    c100="#dfe5fb",
    c200="#c2cdf6",
    c300="#9fafee",
    c400="#7688e2",
    c500="#5264d2",
    c600="#3c4bb5",
    c700="#313d92",
    c800="#2b3576",
    c900="#262e5e",
    c950="#171c3b",
)
# What the theme sets, in the light and in the dark; "" leaves the dark to Gradio's own.
LOOK: Mapping[str, tuple[str, str]] = {
    "body_background_fill": ("*neutral_50", "#171513"),
    "background_fill_primary": ("#ffffff", "#211f1c"),
    "background_fill_secondary": ("*neutral_100", "#2a2724"),
    "body_text_color": ("#292524", "#f3f0ec"),
    "body_text_color_subdued": ("#5f5852", "#b5ada5"),
    "border_color_primary": ("*neutral_300", "#45403b"),
    "block_background_fill": ("transparent", "transparent"),
    "block_border_width": ("0px", "0px"),
    "block_padding": ("6px 0", ""),
    "block_shadow": ("none", ""),
    "block_info_text_color": ("#5f5852", "#b5ada5"),
    "block_label_background_fill": ("transparent", "transparent"),
    "block_label_border_width": ("0px", "0px"),
    "block_label_text_color": ("#44403c", "#e7e2dc"),
    "block_title_text_color": ("#292524", "#f3f0ec"),
    "block_title_text_weight": ("600", ""),
    "button_primary_background_fill": ("*primary_600", "*primary_500"),
    "button_primary_background_fill_hover": ("*primary_700", "*primary_600"),
    "button_primary_text_color": ("white", ""),
    "button_large_radius": ("*radius_lg", ""),
    "input_background_fill": ("#ffffff", "#2a2724"),
    "input_border_width": ("1px", "1px"),
    "input_border_color": ("*neutral_300", "#4d4742"),
    "panel_border_width": ("0px", ""),
    "link_text_color": ("*primary_600", "*primary_300"),
    "link_text_color_hover": ("*primary_700", "*primary_200"),
    "link_text_color_visited": ("*primary_600", "*primary_300"),
    "slider_color": ("*primary_600", "*primary_400"),
}
PRIVATE: Mapping[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
DRAW = """
const el = element.querySelector('{tag}');
customElements.whenDefined('{tag}').then(() => el.connect(props, trigger, watch));
"""
VIEW = """
const el = element.querySelector('impasto-view');
const set = () => el.setAttribute('job', props.value || '');
set();
watch('value', set);
"""


def theme() -> gr.themes.Base:
    """Colours, shapes and letters, in the light and in the dark."""
    made = gr.themes.Base(
        primary_hue=ULTRAMARINE,
        secondary_hue=gr.themes.colors.amber,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=list(FONT),
        font_mono=list(MONO),
    )
    light = {name: value for name, (value, _) in LOOK.items()}
    dark = {f"{name}_dark": value for name, (_, value) in LOOK.items() if value}
    return made.set(**light, **dark)


def control(name: str, **more: Any) -> Any:
    """The widget of a setting."""
    made = widget(name)
    known: dict[str, Any] = {"label": made.label, "info": made.help, "value": made.default, **more}
    known["elem_id"] = f"set-{name.replace('_', '-')}"
    if name in ("strength", "style_scale"):
        low, high = made.low or 0.0, made.high or 1.0
        return gr.Slider(low, high, step=made.step, buttons=[], **known)
    if name in ("quality", "hand"):
        return gr.Radio(list(made.choices), **known)
    if made.choices:
        return gr.Dropdown(
            list(made.choices), allow_custom_value=made.free, filterable=made.free, **known
        )
    return number(made, known)


def number(made: Widget, known: Mapping[str, Any]) -> Any:
    """A field for a number, whose limits Config tells; one that may be left out is text."""
    if made.default is None:
        return gr.Textbox(placeholder=f"{made.low:g} or more", max_lines=1, **known)
    return gr.Number(precision=0 if made.whole else None, **known)


def step(text: str) -> gr.HTML:
    """A heading over a step of the way."""
    return gr.HTML(f"<h2>{escape(text)}</h2>", elem_classes="step", js_on_load=None)


def line(elem_id: str, text: str = "") -> gr.HTML:
    """A line of words that change; what is not ours to write goes through ``told``."""
    return gr.HTML(told(text), elem_id=elem_id, elem_classes="line", js_on_load=None)


def told(text: str, *, wrong: bool = False) -> str:
    """Words for a line, whatever they hold: text, and never markup."""
    if not text:
        return ""
    kind = ' class="wrong" role="alert"' if wrong else ""
    return f"<p{kind}>{escape(text)}</p>"


def cards(paintings: Sequence[Painting], chosen: Mapping[str, float]) -> dict[str, Any]:
    """What the cards show."""
    shown = [
        {"id": p.id, "title": p.title, "note": p.note, "url": f"studio/paintings/{p.id}.jpg"}
        for p in paintings
    ]
    return {"cards": shown, "chosen": dict(chosen)}


def own(tag: str, value: Any, elem_id: str, attributes: str = "") -> gr.HTML:
    """One of our own elements, drawn from its value."""
    return gr.HTML(
        value,
        html_template=f"<{tag} {attributes}></{tag}>",
        js_on_load=DRAW.replace("{tag}", tag),
        elem_id=elem_id,
        apply_default_css=False,
    )


def card_picker(value: Mapping[str, Any], elem_id: str) -> gr.HTML:
    """Cards of paintings to choose from."""
    words = f'weights="{escape(LABELS["style_weights"])}"'
    return own("impasto-cards", dict(value), elem_id, words)


def view(elem_id: str, empty: str) -> gr.HTML:
    """A picture that comes into being; its value is a job's id."""
    return gr.HTML(
        "",
        html_template=f'<impasto-view empty="{escape(empty)}"></impasto-view>',
        js_on_load=VIEW,
        elem_id=elem_id,
        apply_default_css=False,
    )


def remembered(key: str) -> gr.BrowserState:
    """Words that the browser remembers.

    To be made outside of tabs, or in the first: what is in one that was not opened yet gives
    nothing when the page is loaded.
    """
    return gr.BrowserState("", storage_key=f"impasto-{key}", secret="impasto-studio")


def photograph(elem_id: str, label: str, **more: Any) -> Any:
    """A place for a picture; what comes in is the file as it was, for impasto itself to read."""
    return RawImage(
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        label=label,
        buttons=[],
        elem_id=elem_id,
        webcam_options=gr.WebcamOptions(mirror=False),
        **more,
    )


def as_it_was(_: gr.Image, payload: Any) -> tuple[Path, str] | None:
    """A file that was handed in, where it lies now, and the name that it had."""
    if payload is None or not payload.path:
        return None
    path = Path(payload.path)
    return path, payload.orig_name or path.name


# Gradio's Image opens what comes in by itself, and its own words for what it can't open are no
# help. Made by ABCMeta: Gradio's metaclass would write a .pyi file beside this one.
RawImage: Any = ABCMeta.__new__(
    type(gr.Image), "RawImage", (gr.Image,), {"is_template": True, "preprocess": as_it_was}
)


def shown(image: PIL.Image.Image | None) -> Any:
    """A picture for one of Gradio's components, which keeps it in its own cache."""
    return gr.update(value=image)
