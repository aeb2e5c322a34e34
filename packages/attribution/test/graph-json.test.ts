import { describe, expect, it } from 'vitest';
import { buildGraph, graphToJson, parseGraphJson, scoresOf, selectTopN } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';

const scores = goldenScores('eap');
const circuit = selectTopN(scores, 12);

describe('graph file', () => {
  it('has the upstream schema, every node and every edge', () => {
    const json = graphToJson({ scores, circuit, provenance: { method: 'eap' } });
    expect(json.cfg).toEqual({ n_layers: 2, n_heads: 2, parallel_attn_mlp: false, d_model: 8 });
    expect(Object.keys(json.nodes)).toEqual(['input', 'a0.h0', 'a0.h1', 'm0', 'a1.h0', 'a1.h1', 'm1', 'logits']);
    expect(Object.keys(json.edges)).toHaveLength(46);
    expect(json.limn).toEqual({ sign: 'positive-helps', method: 'eap' });
    const small = buildGraph({ layers: 12, heads: 12, width: 768, block: 'sequential' });
    const gpt2 = graphToJson({
      scores: scoresOf(small, () => 0),
      circuit: selectTopN(
        scoresOf(small, () => 0),
        5,
      ),
    });
    expect([Object.keys(gpt2.nodes).length, Object.keys(gpt2.edges).length]).toEqual([158, 32_491]);
  });

  it('comes back as it went', () => {
    const text = JSON.stringify(graphToJson({ scores, circuit }));
    const back = parseGraphJson(text);
    expect(back.circuit.equals(circuit)).toBe(true);
    expect(back.scores.values).toEqual(scores.values.map((x) => x + 0)); // JSON has no −0
    expect(back.notes).toEqual([]);
  });

  it('reads the old form: nodes as booleans, null scores, no d_model, Python NaN', () => {
    const json = graphToJson({ scores, circuit });
    const old = {
      cfg: { n_layers: 2, n_heads: 2, parallel_attn_mlp: false },
      nodes: Object.fromEntries(Object.keys(json.nodes).map((name) => [name, true])),
      edges: Object.fromEntries(
        Object.keys(json.edges).map((name, i) => [name, { score: i === 0 ? null : 0.5, in_graph: i < 3 }]),
      ),
    };
    const text = JSON.stringify(old).replace('"score":0.5', '"score":NaN').replace('"score":0.5', '"score":-Infinity');
    const back = parseGraphJson(text);
    expect(back.circuit.edgeCount).toBe(3);
    expect([...back.scores.values].filter((x) => !Number.isNaN(x))).toHaveLength(43);
    expect(back.notes).toHaveLength(1);
  });

  it('writes null for what JSON cannot hold', () => {
    const json = graphToJson({
      scores: scoresOf(toyGraph, (u) => (u === 0 ? Number.NaN : Number.POSITIVE_INFINITY)),
      circuit,
    });
    expect(Object.values(json.edges).every(({ score }) => score === null)).toBe(true);
    expect(JSON.stringify(json)).not.toContain('NaN');
  });

  it.each([
    ['', 'data/graph-json'],
    ['[]', 'data/graph-json'],
    ['{"cfg":{},"nodes":{},"edges":{}}', 'data/graph-json'],
    ['{"cfg":{"n_layers":2,"n_heads":2,"parallel_attn_mlp":false},"nodes":{},"edges":{}}', 'data/graph-incomplete'],
    ['{"cfg":{"n_layers":2,"n_heads":2,"parallel_attn_mlp":false},"nodes":{"x":true},"edges":{}}', 'data/unknown-node'],
    [
      '{"cfg":{"n_layers":2,"n_heads":2,"parallel_attn_mlp":false},"nodes":{},"edges":{"m1->m0":{"score":1,"in_graph":true}}}',
      'data/unknown-edge',
    ],
    [
      '{"cfg":{"n_layers":2,"n_heads":2,"parallel_attn_mlp":false},"nodes":{},"edges":{"input->m0":{"score":"1","in_graph":true}}}',
      'data/graph-json',
    ],
  ])('refuses %s with %s', (text, code) => {
    expect(() => parseGraphJson(text)).toThrow(expect.objectContaining({ code }));
  });
});
