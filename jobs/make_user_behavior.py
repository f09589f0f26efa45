"""Makes the event log of a web shop: one CSV file, the same bytes for the same arguments.

    python jobs/make_user_behavior.py --output demo/data/user_behavior --day 60 --days 60 --events 100000

The file covers the `--days` days that end with `--day` (day 1 is 2026-01-01). It has the dirt that such logs have:
missing values, rows sent twice, rows that arrive days late, unreadable times, event types in odd spelling.
People differ: most are active for a while and then stay away, and what they do before they leave tells a little of it,
so that a churn model has something to learn.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("event_id", "user_id", "event_type", "event_time", "session_id", "page", "product_id", "amount", "device", "country")
EVENT_TYPES = ("page_view", "search", "add_to_cart", "purchase", "support_ticket")
PAGES = ("home", "search", "category", "product", "cart", "checkout", "help")
DEVICES = ("phone", "desktop", "tablet")
COUNTRIES = ("DE", "FR", "NL", "PL", "ES", "IT", "SE", "AT")
LIFETIME_DAYS = 240.0


@dataclass(frozen=True)
class People:
    """What is constant about each user; arrays have one entry a user."""

    rate: NDArray[np.float64]
    leaves_on_day: NDArray[np.float64]
    device: NDArray[np.int64]
    country: NDArray[np.int64]


def main() -> None:
    arguments = parse_arguments()
    rows = event_rows(
        day=arguments.day, days=arguments.days, events=arguments.events, users=arguments.users, seed=arguments.seed
    )
    path = write_log(rows, Path(arguments.output), last_day=arguments.day)
    print(f"{len(rows)} rows of {arguments.events} events in {path}")


def event_rows(*, day: int, days: int, events: int, users: int, seed: int) -> list[list[str]]:
    """The rows of one file as text, in order of arrival. There are `events` different event ids; some rows come twice."""
    people = make_people(users, seed)
    random = np.random.default_rng([seed, day, days])
    event_day, user = who_comes_when(people, random, first_day=day - days + 1, days=days, events=events)
    kind = what_they_do(people, random, event_day, user)
    second = random.integers(6 * 3600, 24 * 3600, events)
    order = np.lexsort((second, event_day))
    rows = [
        event_row(people, random, number, int(user[i]), int(event_day[i]), int(second[i]), int(kind[i]), file_day=day)
        for number, i in enumerate(order)
    ]
    return soil(rows, random)


def make_people(users: int, seed: int) -> People:
    random = np.random.default_rng([seed, 0])
    return People(
        rate=random.gamma(1.4, 1.0, users) + 0.05,
        leaves_on_day=7 + random.exponential(LIFETIME_DAYS, users),
        device=random.choice(len(DEVICES), users, p=(0.6, 0.32, 0.08)),
        country=random.choice(len(COUNTRIES), users, p=(0.3, 0.18, 0.12, 0.1, 0.1, 0.1, 0.05, 0.05)),
    )


def who_comes_when(
    people: People, random: np.random.Generator, *, first_day: int, days: int, events: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(day, user) of each event. Weekends are busier; nobody comes after the day on which they leave."""
    calendar = np.arange(first_day, first_day + days)
    per_day = random.multinomial(events, np.where(calendar % 7 >= 5, 1.3, 1.0) / np.where(calendar % 7 >= 5, 1.3, 1.0).sum())
    chosen = []
    for day, count in zip(calendar, per_day, strict=True):
        weight = people.rate * (people.leaves_on_day >= day)
        chosen.append(random.choice(weight.size, count, p=weight / weight.sum()))
    return np.repeat(calendar, per_day), np.concatenate(chosen)


def what_they_do(
    people: People, random: np.random.Generator, day: NDArray[np.int64], user: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index into EVENT_TYPES of each event. In their last three weeks people buy less and complain more."""
    settled = np.cumsum((0.55, 0.17, 0.15, 0.10, 0.03))
    leaving = np.cumsum((0.64, 0.17, 0.07, 0.03, 0.09))
    about_to_leave = people.leaves_on_day[user] - day < 21
    draw = random.random(day.size)[:, None]
    return np.where(about_to_leave, (draw > leaving).sum(axis=1), (draw > settled).sum(axis=1))


def event_row(
    people: People, random: np.random.Generator, number: int, user: int, day: int, second: int, kind: int, *, file_day: int
) -> list[str]:
    event_type = EVENT_TYPES[kind]
    page = {"search": "search", "add_to_cart": "cart", "purchase": "checkout", "support_ticket": "help"}.get(
        event_type, PAGES[number * 7 % 4]
    )
    product = f"p{random.integers(1, 801):04d}" if event_type in ("add_to_cart", "purchase") or page == "product" else ""
    amount = f"{random.gamma(2.0, 22.0) + 3:.2f}" if event_type == "purchase" else ""
    time = FIRST_DAY + timedelta(days=day - 1, seconds=second)
    return [
        f"e{file_day:04d}-{number:06d}",
        f"u{user + 1:05d}",
        event_type,
        time.strftime("%Y-%m-%d %H:%M:%S"),
        f"s{user + 1:05d}-{day:04d}-{second // 21600}",
        page,
        product,
        amount,
        DEVICES[people.device[user]],
        COUNTRIES[people.country[user]],
    ]


def soil(rows: list[list[str]], random: np.random.Generator) -> list[list[str]]:
    """Spoils a few rows, repeats about 1 %, and moves about 2 % to a later place in the file."""
    user_id, event_type, event_time, session, amount, device, country = 1, 2, 3, 4, 7, 8, 9
    shares = {user_id: 0.004, event_time: 0.002, session: 0.01, amount: 0.006, device: 0.02, country: 0.015}
    for column, share in shares.items():
        for i in np.flatnonzero(random.random(len(rows)) < share):
            rows[i][column] = "unknown" if column == event_time else ""
    for i in np.flatnonzero(random.random(len(rows)) < 0.01):
        rows[i][event_type] = f" {rows[i][event_type].upper()}"
    repeated = [list(rows[i]) for i in np.flatnonzero(random.random(len(rows)) < 0.01)]
    late = random.random(len(rows)) < 0.02
    arrival = np.arange(len(rows)) + np.where(late, random.integers(1, max(2, len(rows) // 4), len(rows)), 0)
    arrived = [rows[i] for i in np.argsort(arrival, kind="stable")]
    for row in repeated:
        arrived.insert(int(random.integers(0, len(arrived))), row)
    return arrived


def write_log(rows: list[list[str]], folder: Path, *, last_day: int) -> Path:
    """Writes beside the target and renames, so that a reader never sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"until_{FIRST_DAY + timedelta(days=last_day - 1):%Y-%m-%d}.csv"
    unfinished = folder / f".{path.name}"
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return unfinished.rename(path)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes a deterministic event log in CSV.")
    parser.add_argument("--output", required=True, help="folder that the file is put into")
    parser.add_argument("--day", type=int, default=60, help="last day that the file covers; day 1 is 2026-01-01")
    parser.add_argument("--days", type=int, default=60, help="how many days it covers")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=20_260_101)
    return parser.parse_args()


if __name__ == "__main__":
    main()
