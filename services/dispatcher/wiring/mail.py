"""What mails are written with, and what takes them: sender, signature, links and provider."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from contracts.kinds import KINDS
from libs.runtime.process import StartupError
from services.dispatcher.adapters.mime import MimeWriter, Sender, Signer
from services.dispatcher.adapters.providers.file import FileProvider
from services.dispatcher.adapters.providers.http_connections import (
    HttpTarget,
    HttpUrlError,
    read_http_url,
)
from services.dispatcher.adapters.providers.postmark import PostmarkProvider
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import SmtpUrlError, read_smtp_url
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.domain.address import UnusableAddressError, mailbox
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.unsubscribing import UnsubscribeLinks
from services.dispatcher.settings import DispatcherSettings, unsubscribe_keys

logger = logging.getLogger(__name__)

ProviderFactory: TypeAlias = Callable[[DispatcherSettings], Provider]
"""Makes the provider; must run inside the event loop."""


def make_provider(settings: DispatcherSettings) -> Provider:
    """Return the provider that the settings name.

    Raises:
        StartupError: its URL is missing or cannot be read.
    """
    sender = make_sender(settings)
    url, timeout_s = provider_url(settings), settings.provider_timeout_s
    match settings.provider:
        case "smtp":
            return _smtp_provider(settings, url, sender)
        case "vendor":
            return VendorProvider(
                _http_target(url),
                connections=settings.provider_connections,
                timeout_s=timeout_s,
                keys_live_s=settings.provider_keys_live_s,
            )
        case "postmark":
            return PostmarkProvider(
                url,
                token=settings.provider_token,
                sender=sender,
                connections=settings.provider_connections,
                timeout_s=timeout_s,
                lookup_delay_s=settings.lookup_delay_s,
            )
        case "file":
            return FileProvider(Path(url.removeprefix("file://")), timeout_s=timeout_s)


def _smtp_provider(settings: DispatcherSettings, url: str, sender: Sender) -> SmtpProvider:
    try:
        return SmtpProvider(
            read_smtp_url(url),
            sender=sender,
            timeout_s=settings.provider_timeout_s,
            lookup_delay_s=settings.lookup_delay_s,
            signer=make_signer(settings, sender),
        )
    except SmtpUrlError as error:
        raise StartupError(f"DISPATCHER_PROVIDER_URL: {error}") from error


def _http_target(url: str) -> HttpTarget:
    try:
        return read_http_url(url)
    except HttpUrlError as error:
        raise StartupError(f"DISPATCHER_PROVIDER_URL: {error}") from error


def provider_url(settings: DispatcherSettings) -> str:
    """Return where mail goes out.

    Raises:
        StartupError: nobody said where.
    """
    if settings.provider_url is None:
        raise StartupError("DISPATCHER_PROVIDER_URL is not set: say where mail goes out")
    return settings.provider_url


def make_greetings(settings: DispatcherSettings) -> Greetings:
    """Return what mails are written from; their ids are of the sender's domain.

    Raises:
        StartupError: the sender's address cannot be used.
    """
    domain = make_sender(settings).mailbox.rpartition("@")[2]
    return Greetings(KINDS, message_domain=domain, links=_links(settings))


def make_writer(settings: DispatcherSettings) -> MimeWriter:
    """Return the writer of mails, which signs them where a key is set.

    Raises:
        StartupError: the sender's address or the key cannot be used.
    """
    sender = make_sender(settings)
    signer = make_signer(settings, sender)
    if signer is not None:
        logger.info("dkim.signing", extra={"record_at": signer.name, "record": signer.record})
    return MimeWriter(sender, signer)


def make_sender(settings: DispatcherSettings) -> Sender:
    """Return who mails come from.

    Raises:
        StartupError: the address cannot be used.
    """
    try:
        return Sender(mailbox(settings.sender_address), settings.sender_name)
    except UnusableAddressError as error:
        raise StartupError(f"DISPATCHER_SENDER_ADDRESS: {error}") from error


def make_signer(settings: DispatcherSettings, sender: Sender) -> Signer | None:
    """Return the signer; its domain must be the sender's or one above it, else it proves nothing.

    Raises:
        StartupError: it is another domain, or the key cannot be used.
    """
    domain, selector, path = (
        settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file
    )  # fmt: skip
    if domain is None or selector is None or path is None:
        return None
    # Only who signs holds the 7 MiB of cryptography.
    from services.dispatcher.adapters.dkim import (  # noqa: PLC0415
        DkimKeyError,
        DkimSigner,
        read_dkim_key,
    )

    sending = sender.mailbox.rpartition("@")[2].lower()
    if not f".{sending}".endswith(f".{domain.lower()}"):
        raise StartupError(f"DISPATCHER_DKIM_DOMAIN must be {sending} or a domain above it")
    try:
        return DkimSigner(read_dkim_key(Path(path)), domain=domain, selector=selector)
    except DkimKeyError as error:
        raise StartupError(f"DISPATCHER_DKIM_KEY_FILE: {error}") from error


def _links(settings: DispatcherSettings) -> UnsubscribeLinks | None:
    if settings.unsubscribe_url is None:
        return None
    keys = [key.encode() for key in unsubscribe_keys(settings.unsubscribe_keys)]
    return UnsubscribeLinks(settings.unsubscribe_url, keys)
