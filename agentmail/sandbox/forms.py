"""The mailbox's reply form: text, up to three files and what a mail program may add; must not store anything."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

MAX_FILES = 3
MAX_FILE_BYTES = 5_000_000


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        """Returns the uploaded files, checked one by one; an empty list for none."""
        files: Sequence[Any] = data if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > MAX_FILES:
            raise forms.ValidationError(f"You can attach up to {MAX_FILES} files.")
        cleaned = [super(_FilesField, self).clean(file, initial) for file in files]
        for file in cleaned:
            if file.size > MAX_FILE_BYTES:
                raise forms.ValidationError(f"{file.name} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        return cleaned


class ReplyForm(forms.Form):
    """What the person who plays the counterparty writes."""

    text = forms.CharField(
        max_length=100_000,
        label="Your reply",
        error_messages={"required": "Write something before you send."},
        widget=forms.Textarea(attrs={"rows": 8, "placeholder": "Write as the counterparty would…"}),
    )
    attachments = _FilesField(
        required=False,
        label="Files",
        help_text=f"Up to {MAX_FILES} files, {MAX_FILE_BYTES // 1_000_000} MB each.",
        # An empty file is an attachment like any other, and a good test.
        allow_empty_file=True,
    )
    with_document = forms.BooleanField(required=False, label="Attach a sample document made of this text")
    is_automatic = forms.BooleanField(
        required=False,
        label="Send it as an automatic reply",
        help_text="With the headers that a mail program adds to the note of an absence.",
    )
