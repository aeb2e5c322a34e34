// `limn draw`: a circuit of a graph file as Graphviz text or as SVG.
import {
  RANKINGS,
  SCORE_SIGNS,
  graphToDot,
  renderSvg,
  selectTopN,
  type ParsedGraph,
  type Ranking,
  type ScoreSign,
} from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { readGraph, type NamedGraph } from '../graph-source.js';
import { refuseForeignFile, writeFileWhole } from '../output.js';
import { integerOption, nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';

interface DrawOptions extends SharedOptions {
  readonly out?: string;
  readonly edges?: number;
  readonly ranking: Ranking;
  readonly sign?: ScoreSign;
}

/** Graphviz lays out a few hundred edges in seconds; of more it makes a blot, after minutes. */
const MOST_EDGES = 1000;
/** What files that were drawn here begin with. */
const MARKS = { dot: '// limn draw ', svg: '<!-- limn draw ' } as const;

export function addDrawCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('draw'))
    .description('draw the circuit of a graph file, limn’s or EAP-IG’s: Graphviz text, or SVG')
    .argument('<graph>', 'a graph.json, or a folder that holds one')
    .option('--edges <n>', 'the n best edges in place of those that the file marks', integerOption('--edges', 1))
    .option(
      '--ranking <name>',
      `with --edges: ${RANKINGS.join(', ')}; those of largest |score|, or the most helpful ones`,
      nameOption('--ranking', 'ranking', RANKINGS),
      'absolute',
    )
    .option(
      '--sign <name>',
      `of scores in files that do not say it, as MIB’s and EAP-IG’s: ${SCORE_SIGNS.join(', ')}`,
      nameOption('--sign', 'sign', SCORE_SIGNS),
    )
    .option('--out <file>', 'a file that ends in .svg or .dot (default: Graphviz text on stdout)')
    .action((place: string, options: DrawOptions) => draw(place, options, context));
}

async function draw(place: string, options: DrawOptions, { console }: CommandContext): Promise<void> {
  const format = formatOf(options.out);
  const graph = await readGraph(place, { sign: options.sign, console });
  const { scores, provenance } = graph.parsed;
  const drawn = chosen(graph, options);
  const edges = ('circuit' in drawn ? drawn.circuit : drawn).edgeCount;
  if (format === 'svg' && edges > MOST_EDGES)
    throw new LimnError(
      'usage/circuit-size',
      `${graph.file}: ${edges} edges are too many for a drawing; at most ${MOST_EDGES} are`,
      {
        details: { file: graph.file, edges, most: MOST_EDGES },
        hint: 'draw the strongest with --edges 200, or write a .dot file',
      },
    );
  const dot = graphToDot(drawn, scores, { title: titleOf(graph, edges) });
  const origin = originOf(provenance);
  if (options.out === undefined) console.part(dot);
  else {
    const mark = MARKS[format];
    refuseForeignFile(options.out, (there) => Buffer.from(there.subarray(0, mark.length)).toString() === mark);
    const content = format === 'dot' ? `${mark}${origin}\n${dot}` : `${mark}${origin} -->\n${await svgOf(dot)}`;
    writeFileWhole(options.out, Buffer.from(content));
    console.say(`written to ${options.out}: ${edges} edges`);
  }
  console.result({
    ok: true,
    command: 'draw',
    graph: graph.file,
    edges,
    ...(options.out === undefined ? { dot } : { out: options.out, format }),
    ...(provenance === undefined ? {} : { provenance }),
  });
}

/** By the name's end. @throws LimnError `usage/drawing-format` */
function formatOf(out: string | undefined): 'dot' | 'svg' {
  if (out === undefined || /\.(dot|gv)$/i.test(out)) return 'dot';
  if (/\.svg$/i.test(out)) return 'svg';
  throw new LimnError('usage/drawing-format', `--out ${out}: a drawing is a file that ends in .svg or .dot`, {
    details: { given: out, allowed: ['.svg', '.dot', '.gv'] },
    hint: 'for example --out circuit.svg',
  });
}

/** The marked circuit, with its neurons, or the n best edges. */
function chosen({ file, parsed: { circuit, scores, neurons } }: NamedGraph, { edges: n, ranking }: DrawOptions) {
  if (n === undefined) return neurons ? { circuit, neurons } : circuit;
  if (!scores.values.some(Number.isFinite))
    throw new LimnError('data/graph-scores', `${file} has no scores, so that no edges can be chosen by them`, {
      details: { file },
      hint: 'leave out --edges',
    });
  return selectTopN(scores, n, { ranking });
}

function titleOf({ name, record }: NamedGraph, edges: number): string {
  return `${record?.title ?? name}: ${edges} ${edges === 1 ? 'edge' : 'edges'}`;
}

/** What the graph file says of itself on one line that no comment of either format ends in. */
const originOf = (provenance: ParsedGraph['provenance']): string =>
  JSON.stringify(provenance ?? {}).replaceAll('--', '-\\u002d');

/** Graphviz as WebAssembly, 1.2 MB, is loaded only here. */
async function svgOf(dot: string): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  return renderSvg(dot, await instance());
}
