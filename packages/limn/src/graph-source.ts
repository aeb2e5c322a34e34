// Results to compare: graph files, or folders that `limn circuit` and `limn demo` wrote, with the pairs that they were measured on.
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseGraphJson, type ParsedGraph, type ScoreSign } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import { recordFromJson, type CircuitRecord } from '@limn/report';
import type { Console } from './console.js';
import { isCoded } from './exit-code.js';
import { pairsSha256, type PairsSha256 } from './pairs-sha256.js';
import { filePairs, type PairSets } from './pairs-source.js';
import { taskSets, type TaskModel } from './task-source.js';

/** A graph to compare. */
export interface NamedGraph {
  /** The folder's name; of several alike, the path as it was given. */
  readonly name: string;
  readonly file: string;
  readonly parsed: ParsedGraph;
  /** Where the folder has a result.json. */
  readonly record?: CircuitRecord;
}

/** How graph files are read. */
export interface GraphReading {
  /** The sign of scores in files that do not say it. */
  readonly sign?: ScoreSign | undefined;
  /** Is told what is odd in a file. */
  readonly console: Pick<Console, 'warn'>;
}

/**
 * Reads every graph, and the record beside it.
 * @throws LimnError `usage/compare` for fewer than two, `data/graph-file` for one that cannot be read, `data/graph-mismatch` for models of
 * different shape or weights, and as `parseGraphJson`; ReportError `data/record-…`
 */
export async function readGraphs(places: readonly string[], reading: GraphReading): Promise<NamedGraph[]> {
  if (places.length < 2)
    throw new LimnError('usage/compare', `a comparison needs at least two graphs; given ${places.length}`, {
      hint: 'for example: limn compare limn-demo/greater-than limn-demo/ioi',
    });
  const found = await Promise.all(places.map((place) => readGraph(place, reading)));
  const named = found.map((graph, i) =>
    found.some(({ name }, j) => i !== j && name === graph.name) ? { ...graph, name: places[i] ?? graph.name } : graph,
  );
  const twice = named.find(
    ({ file }, i) => named.findIndex((other) => path.resolve(other.file) === path.resolve(file)) !== i,
  );
  if (twice) throw new LimnError('usage/compare', `${twice.file} is given twice`, { details: { file: twice.file } });
  const [first, ...rest] = named as [NamedGraph, ...NamedGraph[]];
  for (const other of rest) expectOneModel(first, other);
  return named;
}

/**
 * Reads one graph, and the record beside it.
 * @throws LimnError `data/graph-file`, and as `parseGraphJson`; ReportError `data/record-…`
 */
export async function readGraph(place: string, { sign, console }: GraphReading): Promise<NamedGraph> {
  const folder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = folder ? path.join(place, 'graph.json') : place;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/graph-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give graph.json files, or folders that `limn circuit` or `limn demo` wrote',
    });
  }
  const graph = parsed(file, text, sign);
  for (const note of graph.notes) console.warn(`${file}: ${note}`);
  const result = path.join(path.dirname(file), 'result.json');
  const record = existsSync(result) ? recordFromJson(await readFile(result, 'utf8')) : undefined;
  const name = path.basename(path.basename(file) === 'graph.json' ? path.dirname(path.resolve(file)) : file, '.json');
  return { name, file, parsed: graph, ...(record === undefined ? {} : { record }) };
}

/** With the file's name in front of what is wrong with it. */
function parsed(file: string, text: string, sign: ScoreSign | undefined): ParsedGraph {
  try {
    const graph = parseGraphJson(text);
    return graph.sign === 'unknown' && sign !== undefined ? parseGraphJson(text, { sign }) : graph;
  } catch (cause) {
    if (!isCoded(cause)) throw cause;
    throw new LimnError(cause.code, `${file}: ${cause.message}`, {
      cause,
      details: { ...cause.details, file },
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    });
  }
}

/** Weights as far as the file names them; other tools do not. */
const weightsOf = ({ parsed: { provenance } }: NamedGraph): unknown => provenance?.['weightsSha256'];

function expectOneModel(a: NamedGraph, b: NamedGraph): void {
  const shape = ({ parsed: { graph } }: NamedGraph): string => `${graph.layers} layers of ${graph.heads} heads`;
  const [one, two] = [weightsOf(a), weightsOf(b)];
  const shapes = a.parsed.graph.equals(b.parsed.graph);
  if (shapes && (one === undefined || two === undefined || one === two)) return;
  const why = shapes
    ? `their weights differ (${String(one).slice(0, 12)}… and ${String(two).slice(0, 12)}…)`
    : `their graphs differ (${shape(a)} and ${shape(b)}, or another block or width)`;
  throw new LimnError('data/graph-mismatch', `${a.file} and ${b.file} belong to different models: ${why}`, {
    details: { first: a.file, second: b.file },
    hint: 'an edge of one model is not an edge of another; compare circuits of one model',
  });
}

/**
 * The pairs that a graph's circuits were measured on, made again from the options of its record; `known` where the record has their
 * sha256, which they then have.
 * @throws LimnError `data/graph-pairs` where the record does not say, `data/pairs-changed` for other pairs than it was made with; else as
 * `taskSets` and `filePairs`
 */
export async function pairsOf(
  { name, file, record }: NamedGraph,
  model: Omit<TaskModel, 'bos'>,
): Promise<{ readonly sets: PairSets; readonly known: boolean }> {
  const { options = {}, seed, pairsSha256: then } = record?.provenance ?? {};
  const { task, data, evalData, pairs, evalPairs } = options;
  const speaker = { ...model, bos: options['bos'] !== 'none' };
  if (
    typeof task === 'string' &&
    typeof pairs === 'number' &&
    typeof evalPairs === 'number' &&
    typeof seed === 'number'
  ) {
    const sets = taskSets({ task, discovery: pairs, evaluation: evalPairs, seed }, speaker);
    const source = `task ${task}`;
    return { sets, known: await expectPairs(sets, then, { file, search: source, evaluation: source }) };
  }
  if (typeof data === 'string') {
    const evaluationFile = typeof evalData === 'string' ? evalData : undefined;
    const skipBadPairs = options['skipBadPairs'] === true;
    const sets = await filePairs({ file: data, evaluationFile, ...speaker, skipBadPairs });
    return { sets, known: await expectPairs(sets, then, { file, search: data, evaluation: evaluationFile ?? data }) };
  }
  throw new LimnError('data/graph-pairs', `${name}: no record beside ${file} says which pairs it was measured on`, {
    details: { file },
    hint: 'give folders that `limn circuit` wrote, or leave out --model',
  });
}

/** Whether it is known that these are the pairs of the graph. `data/pairs-changed` where it is known that they are not. */
async function expectPairs(
  sets: PairSets,
  then: PairsSha256 | undefined,
  from: { readonly file: string; readonly search: string; readonly evaluation: string },
): Promise<boolean> {
  if (then === undefined) return false;
  const now = await pairsSha256(sets);
  for (const [set, what] of [
    ['evaluation', 'was measured on'],
    ['search', 'was found with'],
  ] as const)
    if (now[set] !== then[set])
      throw new LimnError(
        'data/pairs-changed',
        `${from[set]} gives other pairs than ${from.file} ${what}: their ids have the sha256 ${now[set].slice(0, 12)}…, and the record says ${then[set].slice(0, 12)}…`,
        {
          details: { source: from[set], file: from.file, given: now[set], expected: then[set] },
          hint: 'bring the pairs, the tokenizer and the version of limn back as they were, or find the circuit again with `limn circuit`',
        },
      );
  return true;
}
