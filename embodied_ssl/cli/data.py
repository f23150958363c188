"""Commands that make data and look at them."""

import sys
from pathlib import Path

from embodied_ssl.cli.options import first_line, make_parser, parse


def collect_command(arguments: list[str]) -> int:
    """`embodied-ssl collect`."""
    from embodied_ssl.datasets.collect.collection import collect
    from embodied_ssl.datasets.collect.settings import environment_class
    from embodied_ssl.datasets.kinds import kind_of, kinds

    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: embodied-ssl collect KIND --out DIR [settings]\n\nKIND is one of {', '.join(kinds())};")
        print("`embodied-ssl collect KIND --help` explains every setting.")
        return 0
    kind, *rest = arguments
    kind = kind_of(kind).name
    parser = make_parser(f"collect {kind}", first_line(collect))
    parser.add_function_arguments(collect, skip={"kind", "env", "policy"})
    parser.add_argument("--policy", type=str | None, default=None, help="a built-in name, or module:name of your own")
    parser.add_class_arguments(environment_class(kind), skip={"render_mode"})
    sys.path.append(str(Path.cwd()))  # where the module of --policy may be
    settings = vars(parse(parser, rest))
    print(collect(kind, **settings))
    return 0


def check_command(arguments: list[str]) -> int:
    """`embodied-ssl check`."""
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.store.check import check, remarks

    parser = make_parser("check", "Verify data sets; exit code 1 if one is bad.")
    parser.add_argument("directory", nargs="+", type=Path, help="of a data set")
    bad = 0
    for directory in parse(parser, arguments).directory:
        problems = check(directory, progress=True)
        bad += bool(problems)
        for problem in problems:
            print(problem)
        print(f"{directory}: {len(problems)} problems" if problems else f"{Dataset.open(directory)}: sound")
        for remark in remarks(directory):
            print(f"{directory}: {remark}")
    return int(bad > 0)


def view_command(arguments: list[str]) -> int:
    """`embodied-ssl view`."""
    from embodied_ssl.datasets.gallery.page import video, view
    from embodied_ssl.datasets.store.files import make_room

    parser = make_parser("view", "Write one page that shows data sets.")
    parser.add_argument("directory", nargs="+", type=Path, help="of a data set")
    parser.add_argument(
        "--out", type=Path | None, default=None, help="the page; beside the first data set if not given"
    )
    parser.add_argument("--video", type=Path | None, default=None, help="write this MP4 of an episode, and no page")
    parser.add_argument("--episode", type=int, default=0, help="the episode of the video")
    given = parse(parser, arguments)
    if given.video is not None:
        make_room(given.video)
        print(video(given.directory[0], given.episode, given.video))
    else:
        print(view(given.directory, given.out))
    return 0


def envs_command(arguments: list[str]) -> int:
    """`embodied-ssl envs`."""
    from embodied_ssl.datasets.collect.policies import policies_of
    from embodied_ssl.datasets.collect.settings import environment_class
    from embodied_ssl.datasets.kinds import kinds

    parse(make_parser("envs", "List the environments, and the policies that act in each."), arguments)
    for kind, declared in kinds().items():
        about = first_line(environment_class(kind))
        print(f"{declared.env_id:26}{about}\n{'':26}policies: {', '.join(policies_of(kind))}")
    print('\nmake one with gymnasium.make("embodied_ssl.envs:embodied_ssl/Roam-v0")')
    return 0
