"""Commands that list what there is by name, that of plugins as well."""

from collections.abc import Mapping
from typing import Any

from embodied_ssl.cli.parser import Parser
from embodied_ssl.cli.words import first_line, first_paragraph


def envs_parser() -> Parser:
    """`embodied-ssl envs`."""
    return _parser("envs", "List the environments, and the policies that act in each.")


def envs_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl envs`."""
    from embodied_ssl.datasets.collect.policies import policies_of
    from embodied_ssl.datasets.collect.settings import environment_class
    from embodied_ssl.datasets.kinds import kinds

    for name, kind in kinds().items():
        if not kind.is_collected:
            print(f"{name}    no environment: embodied-ssl import\n    {kind.page.about}\n")
            continue
        print(f"{name}    {kind.env_id}\n    {first_line(environment_class(name))}")
        print(f"    policies: {', '.join(policies_of(name))}\n")
    print('make one with embodied_ssl.make_env("roam", size=64), or gymnasium.make("embodied_ssl/Roam-v0", size=64)')
    return 0


def methods_parser() -> Parser:
    """`embodied-ssl methods`."""
    return _parser("methods", "List the methods, their papers, and what each learns from.")


def methods_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl methods`."""
    from embodied_ssl.data import origin
    from embodied_ssl.method import input_streams_of
    from embodied_ssl.methods import method_class, method_names

    for name in method_names():
        method = method_class(name)
        streams = [
            f"--{stream}{'' if spec.required else '?'}  {origin(spec.batch)}"
            for stream, spec in input_streams_of(method).items()
        ]
        print(f"{name}\n    {first_paragraph(method)}")
        print("".join(f"      {stream}\n" for stream in streams or ["what its methods learn from"]))
    print("? can be left out; `embodied-ssl train METHOD --help` explains each, and every setting")
    return 0


def encoders_parser() -> Parser:
    """`embodied-ssl encoders`."""
    return _parser("encoders", "List the encoders by name.")


def encoders_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl encoders`."""
    from embodied_ssl.encoders import encoder_maker, encoder_names

    for name in encoder_names():
        print(f"{name:24}{first_line(encoder_maker(name))}")
    print("timm/NAME               A backbone of timm, or NAME.TAG; untrained, or with --init.")
    print("torchvision/NAME        A backbone of torchvision; untrained, or with --init.")
    print("sine/NAME               A plain transformer of timm whose positions are sines, and do not learn.")
    print("split/NAME              conv4, resnet8 or alexnet in two halves, for lightness and colours.")
    return 0


def protocols_parser() -> Parser:
    """`embodied-ssl protocols`."""
    return _parser("protocols", "List the protocols that measure encoders.")


def protocols_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl protocols`."""
    from embodied_ssl.evaluation.protocols import protocol_class, protocol_names

    for name in protocol_names():
        kind = protocol_class(name)
        print(f"{name:20}{'' if kind.usual else 'by name only; '}{first_line(kind)}")
    return 0


def studies_parser() -> Parser:
    """`embodied-ssl studies`."""
    return _parser("studies", "List the studies, what each asks, and the sizes that it has.")


def studies_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl studies`."""
    from embodied_ssl.studies import study_named, study_names

    for name in study_names():
        study = study_named(name)
        print(f"{name:20}{study.question}\n{'':20}sizes: {', '.join(study.sizes)}; {len(study.rows)} rows")
    print("run one with `embodied-ssl study NAME --size minute --out DIR`; `embodied-ssl study NAME --help` says more")
    return 0


def zoo_parser() -> Parser:
    """`embodied-ssl zoo`."""
    return _parser("zoo", "List the encoders that come with the package, and their scores.")


def zoo_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl zoo`."""
    from embodied_ssl.training.runs.run import load_run
    from embodied_ssl.zoo import zoo_card, zoo_names

    for name in zoo_names():
        card, encoder = zoo_card(f"zoo/{name}"), load_run(f"zoo/{name}").configuration["encoder"]
        print(f"zoo/{name}\n    {card['row']}, of the study {card['study']} at {card['size']}:\n    {card['command']}")
        print(f"    {encoder['name']}, images of {encoder['image_size']} px")
        for one in card["scores"]:
            print(f"    {one['set']}, {one['protocol']}: {one['metric']} {one['value']:.3f}")
    print(
        'load one with embodied_ssl.load_encoder("zoo/NAME"); `embodied-ssl evaluate zoo/NAME` measures it, `train` '
        "learns on from it with --init zoo/NAME, `embodied-ssl verify zoo/NAME` makes it again"
    )
    return 0


def _parser(command: str, about: str) -> Parser:
    parser = Parser(command, about, "", [f"embodied-ssl {command} --plugin my_module"])
    parser.for_all()
    return parser
