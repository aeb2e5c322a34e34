// `limn draw`: the circuit of a graph file as Graphviz text and as SVG, whatever stands in the file, and what cannot be drawn is refused.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildGraph, graphToJson, scoresOf, selectTopN, selectTopNeurons } from '@limn/attribution';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';

const graph = buildGraph({ layers: 2, heads: 2, width: 4, block: 'sequential' });
const scores = scoresOf(graph, (u, v) => Math.sin(1 + u * 31 + v * 7));
const hostile = 'limn --out "x" --> <script>alert(1)</script>\n// --';
let root: string;
let file: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-draw-'));
  file = path.join(root, 'graph.json');
  const json = graphToJson({ scores, circuit: selectTopN(scores, 9), provenance: { commandLine: hostile } });
  writeFileSync(file, JSON.stringify(json));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const edgesIn = (dot: string): number => dot.split('\n').filter((line) => /" -> ".*penwidth/.test(line)).length;

describe('limn draw', () => {
  it('prints Graphviz text of the marked circuit, or of the strongest edges', async () => {
    const marked = await runLimn(['draw', file]);
    expect(marked.exitCode, marked.stderr).toBe(0);
    expect(marked.stdout).toMatch(/^digraph /);
    expect(edgesIn(marked.stdout)).toBe(9);
    const folder = (await runLimn(['draw', root, '--edges', '4', '--json'])).json() as { dot?: string; edges?: number };
    expect(folder.edges).toBe(4);
    expect(edgesIn(folder.dot ?? '')).toBe(4);
    const signed = (await runLimn(['draw', root, '--edges', '4', '--ranking', 'signed', '--json'])).json();
    const helpful = selectTopN(scores, 4, { ranking: 'signed' }).edgeNames();
    expect(helpful).not.toEqual(selectTopN(scores, 4).edgeNames());
    const labels = String(signed['dot']).match(/^ *"[^"]+" -> "[^"]+" \[.*penwidth.*$/gm) ?? [];
    expect(labels).toHaveLength(4);
    for (const line of labels) expect(line).not.toMatch(/[−-]0?\.\d/);
  });

  it('tells of a file that does not say what its sign means, and turns it round where the user says so', async () => {
    const { limn: _, ...silent } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const theirs = path.join(root, 'theirs.json');
    writeFileSync(theirs, JSON.stringify(silent));
    const draw = (...flags: string[]) =>
      runLimn(['draw', theirs, '--edges', '4', '--ranking', 'signed', '--json', ...flags]);
    const dotOf = (outcome: Awaited<ReturnType<typeof runLimn>>): unknown => outcome.json()['dot'];
    const told = await draw();
    expect(told.stderr).toContain('theirs.json: the file does not say whether scores above 0 help');
    const [same, turned] = [await draw('--sign', 'positive-helps'), await draw('--sign', 'negative-helps')];
    expect(same.stderr + turned.stderr).not.toContain('does not say');
    expect(dotOf(same)).toBe(dotOf(told));
    expect(dotOf(turned)).not.toBe(dotOf(told));
    // A file that says it is believed.
    const own = await runLimn([
      'draw',
      file,
      '--edges',
      '4',
      '--ranking',
      'signed',
      '--json',
      '--sign',
      'negative-helps',
    ]);
    expect(own.exitCode, own.stderr).toBe(0);
    expect(dotOf(own)).toBe(dotOf(await runLimn(['draw', file, '--edges', '4', '--ranking', 'signed', '--json'])));
  });

  it('writes an SVG that holds every edge and no more than the drawing, whatever the file says of itself', async () => {
    const out = path.join(root, 'circuit.svg');
    const outcome = await runLimn(['draw', file, '--out', out]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const svg = readFileSync(out, 'utf8');
    expect(svg).toMatch(/^<!-- limn draw \{/);
    // The comment ends once, before the drawing.
    expect(svg.indexOf('-->')).toBe(svg.indexOf('\n<svg') - '-->'.length);
    expect(svg.slice(svg.indexOf('<svg'))).not.toContain('<script');
    // Edges, and the invisible ones between ranks have no element.
    expect(svg.match(/class="edge"/g)).toHaveLength(9);
    const dot = path.join(root, 'circuit.dot');
    expect((await runLimn(['draw', file, '--out', dot])).exitCode).toBe(0);
    const [comment, ...rest] = readFileSync(dot, 'utf8').split('\n');
    expect(comment).toMatch(/^\/\/ limn draw \{/);
    expect(JSON.parse((comment as string).slice('// limn draw '.length))).toMatchObject({ commandLine: hostile });
    expect(rest[0]).toMatch(/^digraph /);
    // Its own drawing is replaced, another's file is not.
    expect((await runLimn(['draw', file, '--out', out, '--edges', '2'])).exitCode).toBe(0);
    writeFileSync(out, '<svg>mine</svg>');
    const refused = await runLimn(['draw', file, '--out', out]);
    expect(refused.stderr).toContain('usage/output-exists');
    expect(readFileSync(out, 'utf8')).toBe('<svg>mine</svg>');
  });

  it('says how many neurons a node keeps', async () => {
    const values = Float64Array.from({ length: graph.nForward * graph.width }, (_, i) => Math.cos(i));
    const circuit = selectTopNeurons({ graph, values }, 6);
    const neurons = path.join(root, 'neurons.json');
    writeFileSync(neurons, JSON.stringify(graphToJson({ scores, circuit })));
    expect((await runLimn(['draw', neurons])).stdout).toMatch(/\d of 4 neurons/);
  });

  it('refuses a name that is no drawing, more edges than can be seen, and a file that is no graph', async () => {
    const png = await runLimn(['draw', file, '--out', path.join(root, 'x.png'), '--json']);
    expect(png.json()).toMatchObject({ exitCode: 2, error: { code: 'usage/drawing-format' } });
    const wide = buildGraph({ layers: 6, heads: 8, width: 8, block: 'sequential' });
    const many = scoresOf(wide, () => 1);
    const large = path.join(root, 'large.json');
    writeFileSync(large, JSON.stringify(graphToJson({ scores: many, circuit: selectTopN(many, 1001) })));
    const svg = path.join(root, 'large.svg');
    const blot = await runLimn(['draw', large, '--out', svg, '--json']);
    expect(blot.json()).toMatchObject({ exitCode: 2, error: { code: 'usage/circuit-size' } });
    expect(existsSync(svg)).toBe(false);
    writeFileSync(path.join(root, 'none.json'), '{}');
    expect((await runLimn(['draw', path.join(root, 'none.json'), '--json'])).json()).toMatchObject({
      exitCode: 4,
      error: { code: 'data/graph-json' },
    });
  });
});
