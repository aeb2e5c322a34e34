import { describe, expect, it } from 'vitest';
import { buildGraph, graphToJson, parseGraphJson, scoresOf, selectTopN, selectTopNeurons } from '../src/index.js';
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
    expect(back.notes).toHaveLength(2); // no width, no sign
  });

  describe('of some sign', () => {
    const json = graphToJson({ scores, circuit });
    const signed = (limn?: object) => JSON.stringify({ ...json, limn });
    const refused = expect.objectContaining({ code: 'data/graph-sign' });
    const negated = scores.values.map((x) => 0 - x);

    it('gives scores that help above 0, turned round where the file or the caller says so', () => {
      expect(parseGraphJson(signed({ sign: 'positive-helps' }))).toMatchObject({ sign: 'positive-helps', notes: [] });
      for (const back of [
        parseGraphJson(signed({ sign: 'negative-helps' })),
        parseGraphJson(signed(), { sign: 'negative-helps' }),
      ]) {
        expect(back.scores.values).toEqual(negated);
        expect(back).toMatchObject({ sign: 'positive-helps', notes: [] });
      }
    });

    it('says where the sign is unknown, as of the reference’s files', () => {
      for (const limn of [undefined, {}, { method: 'eap' }]) {
        const back = parseGraphJson(signed(limn));
        expect(back.sign).toBe('unknown');
        expect(back.notes).toEqual([expect.stringContaining('ranking by sign')]);
        expect(back.scores.values).toEqual(scores.values.map((x) => x + 0));
      }
    });

    it('refuses a sign that there is none of, and one against the file’s', () => {
      expect(() => parseGraphJson(signed({ sign: 'up' }))).toThrow(refused);
      expect(() => parseGraphJson(signed({ sign: 1 }))).toThrow(refused);
      expect(() => parseGraphJson(signed({ sign: 'positive-helps' }), { sign: 'negative-helps' })).toThrow(refused);
      expect(() => parseGraphJson(signed(), { sign: 'up' as 'negative-helps' })).toThrow(
        expect.objectContaining({ code: 'usage/graph-sign' }),
      );
      expect(() => parseGraphJson(JSON.stringify({ ...json, limn: [] }))).toThrow(
        expect.objectContaining({ code: 'data/graph-json' }),
      );
    });
  });

  it('writes null for what JSON cannot hold', () => {
    const json = graphToJson({
      scores: scoresOf(toyGraph, (u) => (u === 0 ? Number.NaN : Number.POSITIVE_INFINITY)),
      circuit,
    });
    expect(Object.values(json.edges).every(({ score }) => score === null)).toBe(true);
    expect(JSON.stringify(json)).not.toContain('NaN');
  });

  describe('on the neuron level', () => {
    const { nForward, width } = toyGraph;
    const neurons = Float64Array.from({ length: nForward * width }, (_, i) => Math.sin(i + 1));
    neurons[3] = Number.NaN;
    const nodeScores = { graph: toyGraph, values: Float64Array.of(1, -2, Number.NaN, 4, 5, 6, 7), neurons };
    const chosen = selectTopNeurons({ graph: toyGraph, values: neurons }, 20);
    const json = graphToJson({ scores, circuit: chosen, nodeScores });

    it('writes rows of neurons, null for a neuron without a score, and no score for such a node', () => {
      expect(json.nodes.input).toMatchObject({ in_graph: true, score: 1 });
      expect(json.nodes.input?.neurons).toEqual(Array.from(chosen.neurons.subarray(0, width), (one) => one === 1));
      expect(json.nodes.input?.neurons_scores?.slice(2, 5)).toEqual([neurons[2], null, neurons[4]]);
      expect(json.nodes['a0.h1']).not.toHaveProperty('score');
      expect(json.nodes.logits).toEqual({ in_graph: true });
      expect(Object.keys(graphToJson({ scores, circuit }).nodes.m0 ?? {})).toEqual(['in_graph']);
    });

    it('comes back as it went, from null and from NaN', () => {
      const text = JSON.stringify(json);
      for (const each of [text, text.replaceAll('null', 'NaN')]) {
        const back = parseGraphJson(each);
        expect(back.neurons).toEqual(chosen.neurons);
        expect(back.nodeScores?.values).toEqual(nodeScores.values);
        expect(back.nodeScores?.neurons).toEqual(neurons);
        expect(back.circuit.equals(chosen.circuit)).toBe(true);
      }
      const plain = parseGraphJson(JSON.stringify(graphToJson({ scores, circuit })));
      expect(plain).not.toHaveProperty('neurons');
      expect(plain).not.toHaveProperty('nodeScores');
    });

    it('reads the rows of a whole layer that the reference would put at every head', () => {
      const nodes = Object.fromEntries(
        Object.entries(json.nodes).map(([name, node]) => {
          const layer = /^a(\d)/.exec(name)?.[1];
          return [
            name,
            layer ? { ...node, neurons: ['h0', 'h1'].map((h) => json.nodes[`a${layer}.${h}`]?.neurons) } : node,
          ];
        }),
      );
      expect(parseGraphJson(JSON.stringify({ ...json, nodes })).neurons).toEqual(chosen.neurons);
    });

    it.each([
      ['some nodes without neurons', { m0: { in_graph: true } }],
      ['a row of another length', { m0: { in_graph: true, neurons: [true] } }],
      ['a neuron that is no flag', { m0: { in_graph: true, neurons: Array.from({ length: 8 }, () => 1) } }],
      ['neurons that are no list', { m0: { in_graph: true, neurons: 8 } }],
    ])('refuses %s', (_, changed) => {
      const text = JSON.stringify({ ...json, nodes: { ...json.nodes, ...changed } });
      expect(() => parseGraphJson(text)).toThrow(expect.objectContaining({ code: 'data/graph-json' }));
    });

    it('refuses neurons of another width to write', () => {
      const wrong = { circuit, neurons: new Uint8Array(3) };
      expect(() => graphToJson({ scores, circuit: wrong })).toThrow(
        expect.objectContaining({ code: 'data/score-shape' }),
      );
    });
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
