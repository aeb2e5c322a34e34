// Paths, splits by head and scores of heads of one prompt, as plain figures and as lines.
import {
  graphNodeName,
  pathGraph,
  pathNodeName,
  scoreTerm,
  strongestTerms,
  type ComputationalPath,
  type GraphNode,
  type HeadLoadings,
  type PathGraph,
  type ScoreAttribution,
} from '@limn/transcoders';

/** One path: its nodes from the root down, each with what it brings to the root along the path. */
export interface PathFigures {
  readonly nodes: readonly { readonly name: string; readonly attribution: number }[];
  /** What the last node brings. */
  readonly attribution: number;
}

/** Paths, and the graph that they make. */
export interface PathsFigures {
  readonly paths: readonly PathFigures[];
  readonly graph: PathGraph;
}

/** Figures of paths, the longest lists last; of each length the largest first. */
export function pathsFigures(paths: readonly ComputationalPath[]): PathsFigures {
  return {
    paths: paths.map(({ steps }) => ({
      nodes: steps.map(({ node, attribution }) => ({ name: pathNodeName(node), attribution })),
      attribution: steps.at(-1)?.attribution ?? 0,
    })),
    graph: pathGraph(paths),
  };
}

/** A source's edge, by the heads of one attention layer. */
export interface SplitEdge {
  readonly source: string;
  readonly edge: number;
  /** Past this attention layer. */
  readonly past: number;
  /** Through each head. */
  readonly heads: readonly number[];
}

/** Edges split by head, the largest first; edges of 0 are left out. */
export function splitEdges({ nodes, heads, past }: HeadLoadings, most: number): SplitEdge[] {
  const width = nodes.length;
  return nodes
    .map((node, s): SplitEdge => {
      const byHead = Array.from({ length: heads.length / width }, (_, h) => heads[h * width + s] as number);
      return {
        source: graphNodeName(node),
        edge: byHead.reduce((sum, value) => sum + value, past[s] as number),
        past: past[s] as number,
        heads: byHead,
      };
    })
    .filter(({ edge, heads: parts }) => edge !== 0 || parts.some((value) => value !== 0))
    .sort((a, b) => Math.abs(b.edge) - Math.abs(a.edge))
    .slice(0, most);
}

/** Why a head looks where it looks. */
export interface ScoreFigures {
  readonly score: number;
  /** Σ of all terms − score. */
  readonly residual: number;
  readonly terms: readonly { readonly query: string; readonly key: string; readonly value: number }[];
  /** Σ of a key's terms, over all sources of the query: what moves attention towards it. */
  readonly keys: readonly { readonly key: string; readonly value: number }[];
}

/** The largest terms of a score, and the sources of the key that raise or lower it most. */
export function scoreFigures(found: ScoreAttribution, most: number): ScoreFigures {
  const name = (place: number): string => graphNodeName(found.nodes[place] as GraphNode);
  const { nodes, query, headWidth: K } = found;
  const whole = new Float32Array(K);
  for (const [i, value] of query.entries()) whole[i % K] = (whole[i % K] as number) + value;
  // The query as one source.
  const summed = { ...found, query: whole };
  return {
    score: found.score,
    residual: found.residual,
    terms: strongestTerms(found, most).map((term) => ({
      query: name(term.query),
      key: name(term.key),
      value: term.value,
    })),
    keys: nodes
      .map((_, key) => ({ key: name(key), value: scoreTerm(summed, 0, key) }))
      .filter(({ value }) => value !== 0)
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
      .slice(0, most),
  };
}

/** Paths as lines: what each brings, then its nodes. */
export function describePaths({ paths, graph }: PathsFigures, most: number): string[] {
  const lines = paths.map(
    ({ nodes, attribution }) => `${signed(attribution)}  ${nodes.map(({ name }) => name).join(' ← ')}`,
  );
  const missing = graph.nodes
    .slice(0, most)
    .map(
      ({ name, attribution, tcError, biasError, skip, pruneError }) =>
        `  ${name.padEnd(18)} ${signed(attribution)} | ${[tcError, biasError, skip, pruneError].map(signed).join(' ')}`,
    );
  return [
    ...lines,
    '',
    `  ${'node'.padEnd(18)} ${'brings'.padStart(9)} | of it transcoder error, constants, skip, not followed`,
    ...missing,
  ];
}

/** Splits as lines. */
export function describeSplits(splits: readonly SplitEdge[], layer: number): string[] {
  const heads = splits[0]?.heads.map((_, h) => `${layer}.${h}`.padStart(9)) ?? [];
  return [
    `${'source'.padEnd(18)} ${'edge'.padStart(9)} ${'past'.padStart(9)} ${heads.join(' ')}`,
    ...splits.map(
      ({ source, edge, past, heads: parts }) => `${source.padEnd(18)} ${[edge, past, ...parts].map(signed).join(' ')}`,
    ),
  ];
}

/** A score as lines. */
export function describeScore({ score, residual, terms, keys }: ScoreFigures, place: string): string[] {
  return [
    `score of ${place}: ${score.toFixed(3)} before the softmax; its terms sum to it within ${Math.abs(residual).toExponential(1)}`,
    'terms, query × key:',
    ...terms.map(({ query, key, value }) => `  ${signed(value)}  ${query} × ${key}`),
    'sources of the key, over the whole query:',
    ...keys.map(({ key, value }) => `  ${signed(value)}  ${key}`),
  ];
}

const signed = (value: number): string => value.toFixed(4).padStart(9);
