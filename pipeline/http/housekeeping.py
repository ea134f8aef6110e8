"""Periodic removal of uploads, copies and index rows that no job needs."""

import asyncio
import logging
import time

from anyio import to_thread
from fastapi import FastAPI

from pipeline.client.retention.job_files import clear_cache
from pipeline.client.retention.remote_copies import clear_forgotten
from pipeline.errors import DuetError
from pipeline.http import uploads
from pipeline.http.redis_clients import job_store
from pipeline.http.transcript_index import TranscriptIndex

logger = logging.getLogger(__name__)
INTERVAL_S = 600.0


async def clean_up_regularly(application: FastAPI) -> None:
    """Clean up every `INTERVAL_S` until cancelled."""
    while True:
        try:
            await to_thread.run_sync(_clean_up, application)
        except DuetError as error:
            logger.warning("Leftover files are removed later. %s", error)
        except Exception:
            logger.exception("Leftover files could not be removed.")
        await asyncio.sleep(INTERVAL_S)


def _clean_up(application: FastAPI) -> None:
    index: TranscriptIndex = application.state.index
    application.state.lists.catalogue.cards(job_store())  # so that the first filter of a list need not read them all
    clear_cache(time.time())
    clear_forgotten(job_store().redis)
    if count := uploads.sweep(application.state.uploads, job_store()):
        logger.info("%d uploads were removed that no job reads.", count)
    index.fill(job_store())  # removes the transcripts of forgotten episodes
