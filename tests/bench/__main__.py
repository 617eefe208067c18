"""`make bench`: measure, print a table, keep the raw results.

Rates move with the machine; compare CPU per item, and ratios within one run.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import herd, planning, relay, smtp
from tests.bench.machine import describe_machine
