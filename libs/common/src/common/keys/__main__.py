import argparse
import asyncio

from common.keys import arguments, command
from common.settings import DatabaseSettings, read_settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m common.keys", description=arguments.HELP)
    arguments.add_arguments(parser)
    asked = parser.parse_args()
    raise SystemExit(asyncio.run(command.run(asked, read_settings(DatabaseSettings))))


if __name__ == "__main__":
    main()
