// The attribution graph of one prompt of a pair, held while something is asked of it.
import type { HookedModel } from '@limn/hooks';
import {
  buildGraph,
  FrozenPrompt,
  logitDifferenceOutput,
  type AttributionGraph,
  type Dictionary,
  type GraphOutput,
} from '@limn/transcoders';
import { contrastOf, type StudiedPair } from './cases.mjs';

export interface PromptGraph {
  readonly graph: AttributionGraph;
  /** Σ right − Σ wrong answers. */
  readonly output: GraphOutput;
  /** Answers on either side: what sums are divided by. */
  readonly answers: number;
}

/** The clean prompt's graph; `use` sees the prompt before it is freed. */
export async function graphOfPrompt<T>(
  model: HookedModel,
  dictionaries: readonly Dictionary[],
  pair: StudiedPair,
  use: (prompt: FrozenPrompt, found: PromptGraph) => Promise<T>,
): Promise<T> {
  using prompt = await FrozenPrompt.of(model, dictionaries, pair.clean);
  const { up, down } = contrastOf(pair);
  const output = logitDifferenceOutput(up, down, pair.clean.length - 1);
  const graph = await buildGraph(prompt, { outputs: [output] });
  return await use(prompt, { graph, output, answers: up.length });
}
