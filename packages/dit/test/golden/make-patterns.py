"""What Python's re says of expressions and module names: python make-patterns.py > patterns.json, in this folder (Python 3.11).

{"names", "cases"}, each case [expression, [whether re.fullmatch matches, name by name]], or null instead of the list where Python itself refuses the expression.
"""

import json
import re

names = [
    "", "h.0.attn.c_attn", "transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj", "transformer.h.11.mlp.c_fc",
    "transformer.h.12.mlp.c_proj", "lm_head", "transformer.wte", "model.layers.3.self_attn.q_proj", "model.vision.layers.3.q_proj", "aaaa", "aaab", "ab-]^",
    "transformer_h_0_attn_c_attn", "c_attn\n", "0.q",
]
expressions = [
    "", ".*", ".+", "c_attn", ".*c_attn", r".*\.c_(attn|proj)", r"transformer\.h\.\d+\.attn\.c_attn", r"transformer\.h\.[01]\..*", r"transformer\.h\.1\d\.mlp\.c_\w+",
    r"^.*c_proj$", r"\Ah\.0\..*\Z", r".*\.(?:attn|mlp)\.c_proj", r"(?P<front>.*)\.mlp\.(?P<back>c_proj|c_fc)", r"(?!.*mlp).*c_proj", r"(?=.*attn).*c_.*",
    r".*(?<=mlp\.)c_proj", r".*(?<!mlp\.)c_proj", r"(?!.*vision).*(q_proj|k_proj)", r"a{4}", r"a{2,}b", r"a{,3}b", r"a{1,2}{1,2}", r"(a{1,2}){2}", r"(a?){4}", r"(a|aa)+",
    r"(a*)*b", r"(?:a|b)*", r"[a-b]*", r"[^b]*", r"[]ab^-]*", r"[ab\-\]^]*", r"[\w.]+", r"[\d.q]+", r"\bh\.0\b.*", r".*\Bttn", r"\w+(\.\w+)*", r"\D+", r"[^\W\d]+",
    r"transformer.h.0.attn.c_attn", r"a*?a*?", r"((((a))))+", r"a|", r"|a", r"()", r"(|aaaa)", r"x{0}aaaa", r"a{", r"\.", r"(?:\w+\.)*?c_attn", r"a{2}{2}", r"(", r")", r"[", r"*a",
    r"a**", r"\1", r"(a)\1", r"(?i)LM_HEAD", r"(?P=a)", r"a{3,2}", r"[b-a]", r"\q", r"a\Z", r"[[:alpha:]]", r"(?:.*\.)?(?:attn.c_proj)", r"(?:.*\.)?(?:^transformer.h.0.attn.c_attn)",
]
cases = []
for expression in expressions:
    try:
        found = [bool(re.fullmatch(expression, name)) for name in names]
    except re.error:
        found = None
    cases.append("  " + json.dumps([expression, found]))
print('{"names": ' + json.dumps(names) + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}")
