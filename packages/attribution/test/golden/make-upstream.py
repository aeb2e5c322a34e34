"""Scores and circuits by the EAP-IG reference implementation, for test/upstream.test.ts.

Made with: python make-upstream.py --eap DIR/src --model wave --out eap-ig-upstream.json
           python make-upstream.py --eap DIR/src --model pocket --weights ../../../pocket/model --pairs pairs.json --out eap-ig-pocket.json
where DIR is a checkout of hannamw/EAP-IG (main of 2025-07-24), with torch, transformer_lens and safetensors installed. pairs.json is a
list of {clean, corrupted, correct, incorrect} as token ids, here from
           npx tsx test/golden/pocket-pairs.ts > pairs.json
With --check, it instead loads graph files of ours by the reference's Graph.from_json and measures them, for test/interop.test.ts:
           npx tsx --conditions=limn-source test/golden/check-graphs.ts DIR
           python make-upstream.py --eap DIR/src --model wave --check DIR/wave-*.json --out checked-wave.json
           python make-upstream.py … --model pocket … --check DIR/pocket-*.json --out checked-pocket.json
Everything runs in float64, one pair a batch (so that the reference's division by the batch size changes nothing); a second process
in float32 tells what the reference itself loses to rounding.
"""
import argparse, functools, hashlib, json, math, os, random, subprocess, sys, tempfile, types

parser = argparse.ArgumentParser()
parser.add_argument('--eap', required=True)
parser.add_argument('--model', choices=['wave', 'pocket'], required=True)
parser.add_argument('--weights')
parser.add_argument('--pairs')
parser.add_argument('--out', required=True)
parser.add_argument('--check', nargs='+', help='graph files to load and measure')
parser.add_argument('--float32', action='store_true', help='scores only, in float32')
args = parser.parse_args()

sys.path.insert(0, args.eap)
sys.modules.setdefault('pygraphviz', types.SimpleNamespace(AGraph=object))
import numpy as np, torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

# The reference asks for CUDA tensors by name in places.
zeros = torch.zeros
torch.zeros = lambda *a, **k: zeros(*a, **{**k, 'device': 'cpu'} if k.get('device') == 'cuda' else k)
import eap.attribute as A, eap.attribute_node as N, eap.evaluate as E, eap.graph as G, eap.utils as U

dtype = torch.float32 if args.float32 else torch.float64
torch.set_default_dtype(dtype)
torch.set_num_threads(1)


def wave(shape, salt, amplitude, plus=0.0):
    """The closed-form weights of waveModel, rounded to f32."""
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    values = (plus + amplitude * np.sin(12.9898 * (i + 1) + 78.233 * salt)).astype(np.float32)
    return torch.tensor(values.reshape(shape)).to(dtype)


def wave_model():
    L, H, K, F, V, P = 3, 3, 24, 40, 53, 11
    C = H * K
    w = {'embed.W_E': wave((V, C), 1, .8), 'pos_embed.W_pos': wave((P, C), 2, .3)}
    for l in range(L):
        s, p = 3 + 16 * l, f'blocks.{l}.'
        w[p + 'ln1.w'], w[p + 'ln1.b'] = wave((C,), s, .2, 1), wave((C,), s + 1, .1)
        for x, n in enumerate('QKV'):
            w[p + f'attn.W_{n}'] = wave((H, C, K), s + 2 + 2 * x, 1.2)
            w[p + f'attn.b_{n}'] = wave((H, K), s + 3 + 2 * x, .1)
        w[p + 'attn.W_O'], w[p + 'attn.b_O'] = wave((H, K, C), s + 8, 1.2), wave((C,), s + 9, .1)
        w[p + 'ln2.w'], w[p + 'ln2.b'] = wave((C,), s + 10, .2, 1), wave((C,), s + 11, .1)
        w[p + 'mlp.W_in'], w[p + 'mlp.b_in'] = wave((C, F), s + 12, .6), wave((F,), s + 13, .1)
        w[p + 'mlp.W_out'], w[p + 'mlp.b_out'] = wave((F, C), s + 14, .5), wave((C,), s + 15, .1)
    s = 3 + 16 * L
    w['ln_final.w'], w['ln_final.b'] = wave((C,), s, .2, 1), wave((C,), s + 1, .1)
    w['unembed.W_U'], w['unembed.b_U'] = wave((C, V), s + 2, .8), zeros(V)
    return dict(L=L, H=H, K=K, F=F, V=V, P=P), w


def pocket_model():
    from safetensors.numpy import load_file
    config = json.load(open(os.path.join(args.weights, 'config.json')))
    L, H, C, V, P = (config[k] for k in ('n_layer', 'n_head', 'n_embd', 'vocab_size', 'n_positions'))
    K, F = C // H, config.get('n_inner') or 4 * C
    t = {n.removeprefix('transformer.'): torch.tensor(x).to(dtype) for n, x in load_file(os.path.join(args.weights, 'model.safetensors')).items()}
    w = {'embed.W_E': t['wte.weight'], 'pos_embed.W_pos': t['wpe.weight']}
    for l in range(L):
        h, p = f'h.{l}.', f'blocks.{l}.'
        for ours, theirs in (('ln1', 'ln_1'), ('ln2', 'ln_2')):
            w[p + ours + '.w'], w[p + ours + '.b'] = t[h + theirs + '.weight'], t[h + theirs + '.bias']
        for x, n in enumerate('QKV'):
            w[p + f'attn.W_{n}'] = t[h + 'attn.c_attn.weight'][:, x * C:(x + 1) * C].reshape(C, H, K).permute(1, 0, 2).contiguous()
            w[p + f'attn.b_{n}'] = t[h + 'attn.c_attn.bias'][x * C:(x + 1) * C].reshape(H, K)
        w[p + 'attn.W_O'], w[p + 'attn.b_O'] = t[h + 'attn.c_proj.weight'].reshape(H, K, C), t[h + 'attn.c_proj.bias']
        w[p + 'mlp.W_in'], w[p + 'mlp.b_in'] = t[h + 'mlp.c_fc.weight'], t[h + 'mlp.c_fc.bias']
        w[p + 'mlp.W_out'], w[p + 'mlp.b_out'] = t[h + 'mlp.c_proj.weight'], t[h + 'mlp.c_proj.bias']
    w['ln_final.w'], w['ln_final.b'] = t['ln_f.weight'], t['ln_f.bias']
    w['unembed.W_U'] = t.get('lm_head.weight', t['wte.weight']).T.contiguous()
    w['unembed.b_U'] = zeros(V)
    return dict(L=L, H=H, K=K, F=F, V=V, P=P), w


sizes, weights = wave_model() if args.model == 'wave' else pocket_model()
model = HookedTransformer(HookedTransformerConfig(
    n_layers=sizes['L'], d_model=sizes['H'] * sizes['K'], n_heads=sizes['H'], d_head=sizes['K'], d_mlp=sizes['F'], d_vocab=sizes['V'],
    n_ctx=sizes['P'], act_fn='gelu_new', normalization_type='LN', eps=1e-5, device='cpu', dtype=dtype, use_attn_result=True,
    use_split_qkv_input=True, use_hook_mlp_in=True, seed=0, default_prepend_bos=False))
missing = model.load_state_dict(weights, strict=False).missing_keys
assert all(name.endswith(('mask', 'IGNORE')) for name in missing), missing
model.to(dtype)
for parameter in model.parameters():
    parameter.requires_grad_(True)

if args.model == 'wave':
    pairs = [
        dict(clean=[1, 4, 7, 2, 9, 30, 11], corrupted=[1, 4, 3, 2, 9, 30, 11], correct=[8], incorrect=[5]),
        dict(clean=[52, 14, 17, 0], corrupted=[52, 14, 21, 0], correct=[40, 3], incorrect=[12]),
        dict(clean=[6, 6, 25, 33, 41, 2, 18, 29, 50, 44, 13], corrupted=[6, 7, 25, 33, 42, 2, 18, 29, 51, 44, 13],
             correct=[22], incorrect=[31, 19, 45]),
    ]
    equal = [
        pairs[0],
        dict(clean=[9, 17, 40, 2, 33, 8, 1], corrupted=[9, 17, 41, 2, 30, 8, 1], correct=[12, 20], incorrect=[7]),
        dict(clean=[0, 51, 22, 5, 16, 37, 44], corrupted=[3, 51, 22, 6, 16, 37, 44], correct=[19], incorrect=[2, 28]),
    ]
else:
    pairs = json.load(open(args.pairs))
    length = len(pairs[0]['clean'])
    equal = [pair for pair in pairs if len(pair['clean']) == length]


def tokenize(_, inputs, max_length=None):
    ids = [list(map(int, text.split())) for text in inputs]
    longest = max(map(len, ids))
    tokens, mask = zeros((len(ids), longest), dtype=torch.long), zeros((len(ids), longest), dtype=torch.long)
    for i, row in enumerate(ids):
        tokens[i, :len(row)], mask[i, :len(row)] = torch.tensor(row), 1
    return tokens, mask, mask.sum(1), longest


for module in (A, N, E, U):
    module.tokenize_plus = tokenize


def loader(some):
    text = lambda ids: (' '.join(map(str, ids)),)
    return [(text(pair['clean']), text(pair['corrupted']), [pair]) for pair in some]


def last(logits, lengths):
    return logits[0, lengths[0] - 1]


def logit_diff(logits, clean_logits, lengths, label, mean=True, loss=True):
    x, pair = last(logits, lengths), label[0]
    value = x[pair['correct']].mean() - x[pair['incorrect']].mean()
    return -value if loss else value


def prob_diff(logits, clean_logits, lengths, label, mean=True, loss=True):
    x, pair = last(logits, lengths).softmax(-1), label[0]
    value = x[pair['correct']].sum() - x[pair['incorrect']].sum()
    return -value if loss else value


def kl(logits, clean_logits, lengths, label, mean=True, loss=True):
    a, b = last(clean_logits, lengths).detach().log_softmax(-1), last(logits, lengths).log_softmax(-1)
    return (a.exp() * (a - b)).sum()


metrics = dict(ld=logit_diff, pd=prob_diff, kl=kl)
methods = {
    'EAP': (pairs, {}),
    'EAP-IG-inputs': (pairs, dict(ig_steps=5)),
    'clean-corrupted': (pairs, {}),
    'EAP-IG-activations': (pairs, dict(ig_steps=3)),
    'exact': (pairs, {}),
    'EAP/zero': (pairs, dict(intervention='zero')),
    'exact/zero': (pairs, dict(intervention='zero')),
    'EAP/mean-positional': (equal, dict(intervention='mean-positional', intervention_dataloader=[
        ((text,), None, None) for _, (text,), _ in loader(equal)])),
}
if args.model == 'pocket':
    del methods['exact'], methods['exact/zero'], methods['EAP/zero'], methods['EAP/mean-positional']

def check(file):
    text = open(file, 'rb').read()
    graph = G.Graph.from_json(file)
    names = [name for name in graph.nodes if name != 'logits']
    in_file = json.loads(text)['nodes']
    extra = {}
    if graph.neurons_in_graph is not None:
        # Its loader puts a head's row at every head of the layer, so that the last head's stays: counted, and put right.
        extra['neuronsAsLoaded'] = int(graph.neurons_in_graph.sum())
        for i, name in enumerate(names):
            graph.neurons_in_graph[i] = torch.tensor(in_file[name]['neurons'])
    graph.prune()
    extra['edges'] = graph.count_included_edges()
    extra['weightedEdges'] = graph.weighted_edge_count()
    if graph.nodes_scores is not None:
        extra['nodeScores'] = [None if math.isnan(x) else x for x in graph.nodes_scores.tolist()]
    values = {short: E.evaluate_graph(model, graph, loader(pairs), functools.partial(metric, loss=False), quiet=True, skip_clean=False)
              for short, metric in metrics.items()}
    return dict(name=os.path.basename(file).removesuffix('.json'), sha256=hashlib.sha256(text).hexdigest(), **extra,
                perExample={short: [float(x) for x in value.flatten()] for short, value in values.items()})


if args.check:
    json.dump([check(file) for file in args.check], open(args.out, 'w'), indent=1)
    sys.exit()

scores, nodes = {}, {}
graphs = {}
for short, metric in metrics.items():
    for name, (some, extra) in methods.items():
        # Its exact patching hands metrics no clean logits, so that KL cannot be measured by it.
        if args.model == 'pocket' and short == 'pd' or '/' in name and short != 'ld' or name == 'exact' and short == 'kl':
            continue
        graph = G.Graph.from_model(model)
        A.attribute(model, graph, loader(some), metric, method=name.split('/')[0], quiet=True, **extra)
        scores[f'{short}/{name}'] = {edge: float(e.score) for edge, e in graph.edges.items()}
        graphs[f'{short}/{name}'] = graph
graph = G.Graph.from_model(model)
A.attribute(model, graph, loader(pairs), kl, method='information-flow-routes', quiet=True)
scores['information-flow'] = {edge: float(e.score) for edge, e in graph.edges.items()}
for name, extra in {'EAP': {}, 'EAP-IG-inputs': dict(ig_steps=5)}.items():
    graph = G.Graph.from_model(model, node_scores=True)
    N.attribute_node(model, graph, loader(pairs), logit_diff, name, quiet=True, **extra)
    nodes[f'ld/{name}'] = {node: float(n.score) for node, n in graph.nodes.items() if node != 'logits' and not node.startswith('m')}

if args.float32:
    json.dump(scores, open(args.out, 'w'))
    sys.exit()

edges = list(next(iter(scores.values())))
place = {edge: i for i, edge in enumerate(edges)}
evaluation = []


def evaluate(graph, short, what, some, **extra):
    graph.prune()
    kept = sorted(place[name] for name, e in graph.edges.items() if e.in_graph)
    values = E.evaluate_graph(model, graph, loader(some), functools.partial(metrics[short], loss=False), quiet=True, skip_clean=False, **extra)
    evaluation.append(dict(metric=short, **what, kept=kept, perExample=[float(x) for x in values.flatten()]))


sizes_of = (1, 5, 20, 60, 120) if args.model == 'wave' else (4, 12, 24, 48)
for short in metrics:
    key = f'{short}/EAP-IG-inputs'
    for n in sizes_of if key in graphs else ():
        graphs[key].apply_topn(n, True)
        evaluate(graphs[key], short, dict(n=n), pairs)
# Fifty circuits of random edges, from sparse to nearly whole.
draw = random.Random(1)
graph = G.Graph.from_model(model)
for i in range(50):
    share = (i + 1) / 51
    graph.reset()
    for edge in graph.edges.values():
        edge.in_graph = draw.random() < share
        for node in (edge.parent, edge.child) if edge.in_graph else ():
            if node.name != 'logits':
                node.in_graph = True
    evaluate(graph, 'ld', dict(random=i), pairs)
if args.model == 'wave':
    for n in (20, 60):
        graphs['ld/EAP-IG-inputs'].apply_topn(n, True)
        evaluate(graphs['ld/EAP-IG-inputs'], 'ld', dict(n=n, ablation='zero'), pairs, intervention='zero')
        graphs['ld/EAP-IG-inputs'].apply_topn(n, True)
        evaluate(graphs['ld/EAP-IG-inputs'], 'ld', dict(n=n, ablation='mean-positional'), equal, intervention='mean-positional',
                 intervention_dataloader=[((text,), None, None) for _, (text,), _ in loader(equal)])

with tempfile.NamedTemporaryFile(suffix='.json') as other:
    subprocess.run([sys.executable, __file__, *sys.argv[1:], '--float32', '--out', other.name], check=True)
    single = json.load(open(other.name))
import transformer_lens, importlib.metadata
version = importlib.metadata.version
json.dump({
    'madeWith': f"test/golden/make-upstream.py --model {args.model}: hannamw/EAP-IG main of 2025-07-24, transformer_lens {version('transformer_lens')}, torch {torch.__version__}, float64, one pair a batch",
    'notes': 'Scores are of the negated metric, evaluation values plain (KL as it is). EAP-IG-inputs: 5 steps, k = 0…4; EAP-IG-activations: 3 steps, k = 1…3. f32Error: L2 distance of the same program in float32.',
    'pairs': pairs, 'equalPairs': equal, 'edges': edges,
    'scores': {key: [value[edge] for edge in edges] for key, value in scores.items()},
    'nodes': nodes,
    'f32Error': {key: math.dist([single[key][e] for e in edges], [value[e] for e in edges]) for key, value in scores.items()},
    'evaluation': evaluation,
}, open(args.out, 'w'), separators=(',', ':'))
print(len(edges), list(scores), len(evaluation))
