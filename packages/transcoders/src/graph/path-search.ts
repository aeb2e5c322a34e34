// Greedy search for the paths that bring most to a feature, logit or direction. Dunefsky et al. 2024, algorithm 1.
import { LimnError, throwIfAborted } from '@limn/gpu';
import type { RunProgress } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import type { FrozenPrompt } from './frozen-prompt.js';
import { graphSources } from './graph-sources.js';
import { checkTarget, placeOf, recordSeeds, type GraphTarget } from './graph-target.js';
import { descend, type Descent } from './path-reader.js';
import { pathTerms, type PathTerms, type StreamReader } from './path-terms.js';
import type { ComputationalPath, PathNode, PathStep, PathTerm } from './path-node.js';

/**
 * Which terms are followed: the largest (as in the paper, which so never sees what counts against the root), the largest by size, or of the
 * best and the worst the same number.
 */
export type PathOrder = 'largest' | 'size' | 'signed';

/** Options of a search for paths. */
export interface PathSearchOptions {
  /** Steps down from the root. Default 3. */
  readonly iterations?: number;
  /** Paths kept at each length, and terms that one path is continued by. Default 15. */
  readonly branches?: number;
  /** Of the (head, position) pairs of one layer, at most these. Default: 12, as in the paper's code, or `branches` if that is less. */
  readonly headBranches?: number;
  /** Default `largest`. */
  readonly order?: PathOrder;
  /** Heads are not followed to these positions. Default: the first, if it is the model's BOS. */
  readonly withoutPositions?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** Told after each step down. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** Paths by length: `byLength[0]` is the root alone, `byLength[i]` the paths of i steps down. */
export interface FoundPaths {
  readonly root: PathNode;
  readonly byLength: readonly (readonly ComputationalPath[])[];
}

/** A path that goes on: its last node's reader, and what that node adds itself. */
interface OpenPath {
  readonly steps: readonly PathStep[];
  readonly reader?: StreamReader;
  readonly own: number;
}

/**
 * Follows, from a target down, the terms that bring most: at every step each path is continued by at most `branches` of its MLPs' features
 * in each layer, `headBranches` of each layer's (head, position) pairs, and by the embedding; of all continuations `branches` are kept.
 * Attribution along a path is exact: with scales and patterns held, a node's terms and its remainder sum to what it brings.
 * @throws LimnError `usage/path-search`, `usage/graph-target`, `usage/graph-place`, `gpu/…`; AbortedError
 */
export async function searchPaths(
  prompt: FrozenPrompt,
  target: GraphTarget,
  label: string,
  options: PathSearchOptions = {},
): Promise<FoundPaths> {
  const { iterations = 3, branches = 15, headBranches = Math.min(branches, 12), order = 'largest', signal } = options;
  for (const [name, value] of Object.entries({ iterations, branches, headBranches }))
    if (!Number.isInteger(value) || value < 1)
      throw new LimnError('usage/path-search', `${name} is ${value}; it is a whole number from 1.`, {
        details: { name, value },
      });
  checkTarget(target, prompt);
  const skipped = new Set(options.withoutPositions ?? (prompt.tokens[0] === prompt.model.info.bosId ? [0] : []));
  const sources = await graphSources(prompt, { skips: 'source', signal });
  try {
    const patterns = await Promise.all(
      prompt.layers.map(async ({ pattern }) => (await prompt.model.gpu.read(pattern.storage, 'f32')) as Float32Array),
    );
    const start = await rootOf(prompt, target, label, signal);
    const byLength: ComputationalPath[][] = [];
    let current: readonly OpenPath[] = [start.path];
    for (let length = 0; length <= iterations && current.length > 0; length++) {
      throwIfAborted(signal, 'A search for paths');
      const open = current.filter(({ reader }) => reader !== undefined);
      const terms =
        open.length === 0
          ? []
          : await pathTerms(
              prompt,
              sources,
              open.map(({ reader }) => reader as StreamReader),
              patterns,
              signal,
            );
      const found = new Map(open.map((path, i) => [path, terms[i] as PathTerms]));
      const said = current.map((path): OpenPath => withRemainder(path, found.get(path)));
      byLength.push(said.map(({ steps }) => ({ steps })));
      const more = said.flatMap((path, i) => {
        const its = found.get(current[i] as OpenPath);
        return its ? [{ path, terms: its }] : [];
      });
      if (length < iterations)
        current = await extend(prompt, more, { branches, headBranches, order, skipped }, patterns, signal);
      options.onProgress?.({ unit: 'steps', done: length, total: iterations });
    }
    return { root: start.node, byLength };
  } finally {
    sources.dispose();
  }
}

async function rootOf(
  prompt: FrozenPrompt,
  target: GraphTarget,
  label: string,
  signal?: AbortSignal,
): Promise<{ readonly node: PathNode; readonly path: OpenPath }> {
  const step = prompt.model.gpu.step({ label: 'paths: root', ...(signal ? { signal } : {}) });
  try {
    const seeds = recordSeeds(step, prompt, [target]);
    const [vector, values, ...own] = await Promise.all([
      readFloats(step, seeds.vectors),
      readFloats(step, seeds.values),
      ...seeds.own.map((each) => readFloats(step, each.values)),
    ]);
    const { position } = target;
    const place = placeOf(target, prompt);
    const node: PathNode = target.kind === 'feature' ? target : { kind: 'root', label, place, position };
    return {
      node,
      path: {
        steps: [{ node, attribution: values[0] as number }],
        reader: { place, position, vector },
        own: own.reduce((sum, each) => sum + (each[0] as number), 0),
      },
    };
  } finally {
    step.dispose();
  }
}

function withRemainder(path: OpenPath, found: PathTerms | undefined): OpenPath {
  const last = path.steps.at(-1);
  if (!found || !last) return path;
  const { tcError, constants, skip, features, heads, embedding } = found;
  const terms = [...features, ...heads].flat().reduce((sum, { value }) => sum + value, embedding.value);
  const remainder = { tcError, biasError: path.own + constants, skip, terms };
  return { ...path, steps: [...path.steps.slice(0, -1), { ...last, remainder }] };
}

/** The best continuations of all paths. */
async function extend(
  prompt: FrozenPrompt,
  open: readonly { readonly path: OpenPath; readonly terms: PathTerms }[],
  {
    branches,
    headBranches,
    order,
    skipped,
  }: {
    readonly branches: number;
    readonly headBranches: number;
    readonly order: PathOrder;
    readonly skipped: ReadonlySet<number>;
  },
  patterns: readonly Float32Array[],
  signal?: AbortSignal,
): Promise<OpenPath[]> {
  const continuations = open.flatMap(({ path, terms: found }) => {
    const listed = [
      ...found.features.map((list) => best(list, branches, order)),
      ...found.heads.map((list) =>
        best(
          list.filter(({ node }) => !skipped.has(node.position)),
          headBranches,
          order,
        ),
      ),
      [found.embedding],
    ].flat();
    return best(listed, branches, order).map((term) => ({ path, ...term }));
  });
  const kept = best(continuations, branches, order);
  const descents = kept.map(({ path, node, value }): Descent => ({
    reader: path.reader as StreamReader,
    taken: { node, value },
  }));
  const below = await descend(prompt, descents, patterns, signal);
  return kept.map(({ path, node, value }, i) => ({
    steps: [...path.steps, { node, attribution: value }],
    ...(below[i] ? { reader: below[i].reader } : {}),
    own: below[i]?.own ?? 0,
  }));
}

/** At most `count` of a list, those that the order puts first; what brings nothing, or under `largest` counts against, is left out. */
function best<T extends Pick<PathTerm, 'value'>>(list: readonly T[], count: number, order: PathOrder): T[] {
  const some = list.filter(({ value }) => (order === 'largest' ? value > 0 : value !== 0));
  const falling = [...some].sort((a, b) =>
    order === 'size' ? Math.abs(b.value) - Math.abs(a.value) : b.value - a.value,
  );
  if (order !== 'signed' || falling.length <= count) return falling.slice(0, count);
  const worst = Math.floor(count / 2);
  return [...falling.slice(0, count - worst), ...falling.slice(falling.length - worst)];
}
