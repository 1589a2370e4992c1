"""Random templates and what jinja2 makes of them, as JSON lines [template, output or null].

usage: fuzz_language.py SEED COUNT > language.jsonl

The environment is the one that transformers compiles chat templates with, the
variables are those of variables.json.
"""
import copy
import json
import random
import re
import resource
import signal
import sys
import warnings

warnings.filterwarnings("ignore")
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

VARS = json.load(open(__file__.rsplit("/", 1)[0] + "/variables.json"))
rnd = random.Random(int(sys.argv[1]))
NAMES = list(VARS) + ["nope", "v", "w"]
STRS = ["a", "", "hello world", "Héllo", "x,y,,z", " pad\t", "ABC", "it's", 'q"q', "line\none\n", "<b>&", "日本語", "12", "-3.5", "0x1F", "ß", "%s", "{}", "end", "a\\nb"]
METHODS = [
    ("upper", 0), ("lower", 0), ("strip", 0), ("strip", 1), ("lstrip", 1), ("rstrip", 0), ("split", 0), ("split", 1), ("rsplit", 0),
    ("splitlines", 0), ("startswith", 1), ("endswith", 1), ("replace", 2), ("find", 1), ("rfind", 1), ("index", 1), ("count", 1),
    ("title", 0), ("capitalize", 0), ("swapcase", 0), ("isdigit", 0), ("isalpha", 0), ("isalnum", 0), ("isspace", 0), ("isupper", 0), ("islower", 0),
    ("partition", 1), ("rpartition", 1), ("removeprefix", 1), ("removesuffix", 1), ("join", 1), ("items", 0), ("keys", 0), ("values", 0),
    ("get", 1), ("get", 2), ("format", 1), ("zfill", 1), ("center", 1), ("append", 1), ("pop", 0), ("istitle", 0), ("casefold", 0), ("ljust", 1), ("expandtabs", 0),
]
FILTERS = [
    ("trim", 0), ("upper", 0), ("lower", 0), ("length", 0), ("count", 0), ("default", 1), ("default", 2), ("d", 1), ("join", 0), ("join", 1), ("list", 0), ("first", 0),
    ("last", 0), ("tojson", 0), ("string", 0), ("int", 0), ("float", 0), ("abs", 0), ("round", 0), ("round", 1), ("reverse", 0), ("sort", 0), ("unique", 0),
    ("min", 0), ("max", 0), ("sum", 0), ("title", 0), ("capitalize", 0), ("indent", 0), ("indent", 1), ("replace", 2), ("items", 0), ("dictsort", 0), ("truncate", 1),
    ("wordcount", 0), ("escape", 0), ("urlencode", 0), ("batch", 1), ("slice", 1), ("center", 1), ("safe", 0),
]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "mapping", "sequence", "iterable", "boolean", "true", "false", "odd", "even", "lower", "upper", "callable"]
TESTS1 = ["divisibleby", "eq", "ne", "in", "gt", "lt", "ge", "le", "equalto", "sameas", "=="]


def lit():
    k = rnd.randrange(9)
    if k < 3:
        s = rnd.choice(STRS)
        return json.dumps(s, ensure_ascii=False) if rnd.random() < 0.5 else "'" + s.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    if k < 5:
        return str(rnd.choice([0, 1, 2, 3, -1, -2, 5, 7, 10, 100, 12345678901]))
    if k == 5:
        return str(rnd.choice([0.5, 1.0, 2.5, -1.5, 1e20, 1e-7, 3.14159, 100000.0, 1e16, 123456789.125]))
    return rnd.choice(["true", "false", "none", "True", "None"])


def expr(d):
    if d <= 0:
        return rnd.choice(NAMES) if rnd.random() < 0.6 else lit()
    k = rnd.randrange(22)
    e = lambda: expr(d - 1 - rnd.randrange(2))
    if k < 3:
        return rnd.choice(NAMES)
    if k == 3:
        return lit()
    if k == 4:
        return f"({e()} {rnd.choice(['+', '-', '*', '/', '//', '%', '~', '+', '~'])} {e()})"
    if k == 5:
        return f"{e()} {rnd.choice(['==', '!=', '<', '>', '<=', '>=', 'in', 'not in'])} {e()}"
    if k == 6:
        return f"({e()} {rnd.choice(['and', 'or'])} {e()})"
    if k == 7:
        return f"not {e()}"
    if k == 8:
        return f"({e()} if {e()}" + (f" else {e()})" if rnd.random() < 0.8 else ")")
    if k == 9:
        return f"{e()}[{rnd.choice(['0', '-1', '1', '5', e()])}]"
    if k == 10:
        p = lambda: rnd.choice(["", "0", "1", "2", "-1", "-2", "10"])
        s = f"{p()}:{p()}" + (f":{rnd.choice(['', '1', '2', '-1', '-2'])}" if rnd.random() < 0.4 else "")
        return f"{rnd.choice(NAMES + ['s.split()', 'm.content', '(s ~ u)', '(nums|list)'])}[{s}]"  # jinja2 folds slices of constants in its own way
    if k == 11:
        return f"{e()}.{rnd.choice(['role', 'content', 'name', 'a', 'items', 'x', 'nope', 'arguments'])}"
    if k in (12, 13):
        m, n = rnd.choice(METHODS)
        return f"{e()}.{m}({', '.join(e() for _ in range(n))})"
    if k in (14, 15, 16):
        f, n = rnd.choice(FILTERS)
        return f"({e()}|{f}{'(' + ', '.join(e() for _ in range(n)) + ')' if n else ''})"
    if k == 17:
        t = rnd.choice(TESTS) if rnd.random() < 0.6 else rnd.choice(TESTS1) + f" {rnd.choice(NAMES)}"
        return f"({e()} is {rnd.choice(['', 'not '])}{t})"
    if k == 18:
        return f"[{', '.join(e() for _ in range(rnd.randrange(4)))}]" if rnd.random() < 0.7 else f"({', '.join(e() for _ in range(rnd.randrange(1, 4)))},)"
    if k == 19:
        return "{" + ", ".join(f"{lit()}: {e()}" for _ in range(rnd.randrange(3))) + "}"
    if k == 20:
        return rnd.choice([
            lambda: f"({e()}|map('{rnd.choice(['upper', 'length', 'string', 'tojson', 'trim'])}')|list)",
            lambda: f"({e()}|map(attribute='{rnd.choice(['role', 'content', 'a', '0'])}')|list)",
            lambda: f"({e()}|selectattr('role', 'equalto', {e()})|list)",
            lambda: f"({e()}|rejectattr('{rnd.choice(['role', 'a', 'tool_calls'])}')|list)",
            lambda: f"({e()}|select('{rnd.choice(['string', 'defined', 'odd', 'none'])}')|list)",
            lambda: f"({e()}|reject('{rnd.choice(['string', 'mapping'])}')|list)",
            lambda: f"({e()}|tojson(indent={rnd.choice(['2', '4', 'none', '0', e()])}))",
            lambda: f"({e()}|sort(reverse=true))",
            lambda: f"({e()}|sort(attribute='role'))",
            lambda: f"({e()}|groupby('role')|list)",
            lambda: f"({e()}|tojson(separators=(',', ':'), sort_keys=true))",
            lambda: f"({e()}|tojson(ensure_ascii=true))",
            lambda: f"('%s|%5.2f|%d' % ({e()}, {lit()}, {lit()}))",
            lambda: f"'{{:>8}}|{{!r}}|{{}}'.format({e()}, {e()}, {e()})",
        ])()
    return f"range({', '.join(e() for _ in range(rnd.randrange(1, 4)))})|list"


WS = ["", "", "", "-", "+"]


def tag(s):
    return "{%" + rnd.choice(WS) + " " + s + " " + rnd.choice(WS) + "%}"


def text():
    return rnd.choice(["", "x", "\n", "  ", " a\n", "\n\n", "\n  ", "\t", "end\n ", "{", "}}", "\n    "])


def out(d):
    return "{{" + rnd.choice(["", "", "-", "+"]) + " " + expr(d) + " " + rnd.choice(["", "", "-"]) + "}}"


def stmts(d):
    return "".join(text() + stmt(d) for _ in range(rnd.randrange(1, 4))) + text()


def stmt(d):
    if d <= 0:
        return out(2)
    k = rnd.randrange(16)
    b = lambda: stmts(d - 1)
    v = lambda: rnd.choice(["v", "w", "x1"])
    if k < 3:
        return out(3)
    if k == 3:
        return tag(f"set {v()} = {expr(2)}")
    if k == 4:
        return tag(f"set {v()}") + b() + tag("endset")
    if k == 5:
        return tag(f"if {expr(2)}") + b() + (tag(f"elif {expr(2)}") + b() if rnd.random() < 0.4 else "") + (tag("else") + b() if rnd.random() < 0.5 else "") + tag("endif")
    if k in (6, 7, 8):
        t, it = rnd.choice([("m", "messages"), ("i", "nums"), ("k, v", "d.items()"), ("c", expr(1)), ("i", "range(3)"), ("k", "d")])
        inner = b() + rnd.choice(["{{ loop.index }}", "{{ loop.last }}", "{{ loop.length }}", "{{ loop.first }}{{ loop.revindex0 }}", "{{ loop.previtem }}", "{{ loop.nextitem }}", "{{ loop.cycle('a','b') }}", "{{ loop.changed(1) }}", ""])
        if rnd.random() < 0.15:
            inner += tag("if loop.index == 2") + tag(rnd.choice(["break", "continue"])) + tag("endif") + "z"
        return tag(f"for {t} in {it}" + (f" if {expr(1)}" if rnd.random() < 0.2 else "")) + inner + (tag("else") + b() if rnd.random() < 0.3 else "") + tag("endfor")
    if k == 9:
        return tag(f"macro mac(p, q={expr(1)})") + b() + "{{ p }}{{ q }}" + tag("endmacro") + "{{ mac(" + expr(1) + ") }}" + rnd.choice(["", "{{ mac(1, q=2) }}", "{{ mac() }}", "{{ mac(1,2,3) }}"])
    if k == 10:
        return tag("set ns = namespace(x=0, y='')") + tag("for i in nums") + tag("set ns.x = ns.x + i") + b() + tag("endfor") + "{{ ns.x }}"
    if k == 11:
        return tag(f"with {v()} = {expr(1)}") + b() + tag("endwith")
    if k == 12:
        return tag(f"filter {rnd.choice(['upper', 'trim', 'indent(2)', 'title'])}") + b() + tag("endfilter")
    if k == 13:
        return "{#" + rnd.choice(WS) + " comment\n " + rnd.choice(WS) + "#}"
    if k == 14:
        return tag("raw") + " {{ x }} {% y %}\n" + tag("endraw")
    return tag("macro g()") + "<{{ caller() }}>" + tag("endmacro") + tag("call g()") + b() + tag("endcall")


def main():
    count = int(sys.argv[2])
    n = 0
    errors = 0
    while n < count:
        src = out(rnd.randrange(2, 5)) if rnd.random() < 0.6 else stmts(rnd.randrange(1, 4))
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            got = _cached_compile_jinja_template(src).render(**copy.deepcopy(VARS))
        except Exception as e:
            got = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        if got is not None and (re.search(" at 0x|bound method|built-in|Markup.?\\(|0{20}", got, re.I) or len(got) > 2000):
            continue  # addresses, and what only Python has: long integers, Markup
        if got is None:
            errors += 1
            if errors > 0.3 * count and n < count:
                errors -= 1
                continue
        print(json.dumps([src, got], ensure_ascii=False))
        n += 1


resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
main()
