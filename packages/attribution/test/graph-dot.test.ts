// Circuits as Graphviz text and as SVG by Graphviz itself: ranks, styles, signs, and hostile text that stays text.
import { beforeAll, describe, expect, it } from 'vitest';
import { instance } from '@viz-js/viz';
import { Circuit, buildGraph, graphToDot, renderSvg, scoresOf, selectTopN } from '../src/index.js';
import type { GraphvizRenderer } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';

const circuit = Circuit.ofEdges(toyGraph, [
  'input->a0.h0<q>',
  'input->a0.h1<k>',
  'a0.h0->m0',
  'a0.h1->a1.h0<v>',
  'm0->logits',
  'a1.h0->logits',
]);
const scores = scoresOf(toyGraph, (u, v) => (toyGraph.edgeName(u, v) === 'm0->logits' ? -0.25 : 0.5 / (u + 1)));
const lineOf = (dot: string, edge: string): string => dot.split('\n').find((line) => line.includes(`"${edge}`)) ?? '';

describe('graphToDot', () => {
  const dot = graphToDot(circuit, scores, { title: 'Toy' });

  it('has a rank for each sublayer with a node, in order, and every kept edge', () => {
    expect([...dot.matchAll(/rank=same; "rank \d" \[.*?label="([^"]*)"\];(.*)\}/g)].map(([, label]) => label)).toEqual([
      'embedding',
      'attention 0',
      'MLP 0',
      'attention 1',
      'output',
    ]);
    expect(dot).toContain('"rank 0" -> "rank 1" -> "rank 2" -> "rank 3" -> "rank 4" [style=invis]');
    for (const name of circuit.edgeNames()) expect(lineOf(dot, name), name).toContain(' -> ');
    expect(dot.match(/tooltip=/g)).toHaveLength(6);
    const parallel = buildGraph({ layers: 1, heads: 1, width: 4, block: 'parallel' });
    expect(graphToDot(Circuit.full(parallel))).toMatch(/label="layer 0"\]; "a0.h0" .* "m0" /);
  });

  it('shows q, k and v by style, the sign by colour and label, the size by width', () => {
    expect(lineOf(dot, 'input->a0.h0<q>')).toMatch(/label="q \+0\.5", style=dashed, color="#0072B2".*penwidth=5\.00/);
    expect(lineOf(dot, 'input->a0.h1<k>')).toMatch(/label="k \+0\.5", style=dotted/);
    expect(lineOf(dot, 'a0.h1->a1.h0<v>')).toMatch(/label="v \+0\.167", style=solid.*penwidth=1\.67/);
    expect(lineOf(dot, 'm0->logits')).toMatch(/label="−0\.25", style=solid, color="#D55E00".*penwidth=2\.50/);
  });

  it('draws edges without a score in grey, and nothing at all without edges', () => {
    expect(lineOf(graphToDot(circuit), 'm0->logits')).toMatch(/label="", style=solid, color="#555555".*penwidth=0\.60/);
    expect(graphToDot(Circuit.empty(toyGraph))).not.toContain('->');
    const other = buildGraph({ layers: 3, heads: 2, width: 8, block: 'sequential' });
    expect(() =>
      graphToDot(
        circuit,
        scoresOf(other, () => 1),
      ),
    ).toThrow(expect.objectContaining({ code: 'data/graph-mismatch' }));
  });

  it('says how many neurons a node keeps', () => {
    const neurons = new Uint8Array(toyGraph.nForward * 8).fill(1);
    neurons.fill(0, 3, 8);
    expect(graphToDot({ circuit, neurons })).toContain('"input" [label="input\\n3 of 8 neurons"]');
  });
});

describe('renderSvg', () => {
  let viz: GraphvizRenderer;
  beforeAll(async () => {
    viz = await instance();
  });
  const hostile = [
    '</text></svg><script>alert(1)</script>',
    '"]; x [URL="javascript:alert(1)"]; "',
    '\\N \\l \\" \\\\',
    '&lt;script&gt; &amp; &#60;b&#62;',
    'a\u0000b\u001bc\ud800d\ufffe',
    '<b>bold</b><!-- ]]>',
    'two\nlines\r\nthree',
    '\u65e5\u672c\u8a9e \u{1f600}',
  ];

  it('is one well-formed element with every node and edge, and no outside address but the namespaces', () => {
    const svg = renderSvg(graphToDot(selectTopN(goldenScores('eap'), 20), goldenScores('eap')), viz);
    expect(wellFormed(svg)).toBe('');
    expect(svg.match(/class="edge"/g)?.length).toBeGreaterThanOrEqual(20);
    expect(svg).toContain('input&#45;&gt;a0.h0&lt;k&gt;');
    expect(new Set([...svg.matchAll(/https?:[^"]*/g)].map(([address]) => address))).toEqual(
      new Set(['http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink']),
    );
  });

  it('lays the ranks out from bottom to top', () => {
    const svg = renderSvg(graphToDot(circuit, scores), viz);
    const heightOf = (name: string): number => {
      const text = new RegExp(`<text[^>]* y="([-\\d.]+)"[^>]*>${name}</text>`).exec(svg);
      return Number(text?.[1]);
    };
    const heights = ['input', 'a0.h1', 'm0', 'a1.h0', 'logits'].map(heightOf);
    expect(heights).toEqual([...heights].sort((a, b) => b - a));
    expect(new Set(heights).size).toBe(5);
  });

  it.each(hostile)('shows %j as text, in a title and in a node', (text) => {
    const svg = renderSvg(graphToDot(circuit, scores, { title: text, describe: () => text }), viz);
    expect(wellFormed(svg)).toBe('');
    // No element and no attribute that is not Graphviz's own drawing.
    const elements = new Set([...svg.matchAll(/<([a-zA-Z]+)/g)].map(([, name]) => name));
    expect(
      [...elements].filter((name) => !['svg', 'g', 'title', 'polygon', 'path', 'text', 'a'].includes(name ?? '')),
    ).toEqual([]);
    expect(svg).not.toMatch(/<[^>]*(?:href="(?!#)|\son[a-z]+=)(?!http:)/);
    const shown = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, inner]) => unescaped(inner ?? ''));
    for (const line of text.split(/\r\n?|\n/)) {
      const want = line.replace(/[\p{Cc}\p{Cs}\uFFFE]/gu, '\uFFFD');
      expect(shown.filter((each) => each === want).length, want).toBeGreaterThanOrEqual(1 + circuit.nodeNames().length);
    }
  });

  it('refuses what is no graph', () => {
    expect(() => renderSvg('digraph {', viz)).toThrow(expect.objectContaining({ code: 'data/graph-drawing' }));
  });
});

/** The text that a browser shows for escaped text. Graphviz keeps runs of spaces as no-break spaces. */
function unescaped(text: string): string {
  const names: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text
    .replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi, (_, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return names[name] ?? `?${name}?`;
      return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal));
    })
    .replaceAll('\u00a0', ' ');
}

/** What is wrong with an XML element, '' where nothing is: tags nest, attributes are quoted, text has no bare < or &, no character is forbidden. */
function wellFormed(xml: string): string {
  // eslint-disable-next-line no-control-regex -- what XML forbids
  const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/u.exec(xml);
  if (forbidden) return `character ${forbidden[0].codePointAt(0)}`;
  const token = /<!--[^]*?-->|<(\/?)([a-zA-Z]+)((?:\s+[a-zA-Z:_-]+="[^"<]*")*)\s*(\/?)>|[^<]+/y;
  const open: string[] = [];
  let roots = 0;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const found = token.exec(xml);
    if (!found) return `markup at ${xml.slice(at, at + 40)}`;
    const [all, closing, name, attributes = '', empty] = found;
    if (
      /&(?!(?:#\d+|#x[\da-f]+|lt|gt|amp|quot|apos);)/i.test(
        name === undefined && !all.startsWith('<!--') ? all : attributes,
      )
    )
      return `a bare ampersand in ${all.slice(0, 80)}`;
    if (name === undefined) continue;
    if (closing) {
      if (open.pop() !== name) return `</${name}> closes another element`;
    } else {
      if (open.length === 0) roots++;
      if (!empty) open.push(name);
    }
  }
  if (open.length > 0) return `<${open.at(-1)}> is not closed`;
  return roots === 1 ? '' : `${roots} roots`;
}
