// A few prompts under a steering at every strength: answers and the likeliest tokens, as a page shows them.
import { tokenBatch, topTokens, type HookedModel } from '@limn/hooks';
import type { SteeredPromptRecord } from '@limn/report';
import {
  evaluateSteering,
  slotsOf,
  steererOf,
  type PositionTable,
  type Steering,
  type SteeringExample,
} from '@limn/steering';
import { readFloats } from '@limn/tensor';

/** Likeliest tokens of each run. */
const TOP = 10;

/** What is shown, and where its columns stand. */
export interface ShownSteering {
  readonly model: HookedModel;
  readonly steering: Steering;
  readonly positions: PositionTable;
  readonly show: (id: number) => string;
  readonly signal: AbortSignal;
}

/** The prompts with what the untouched and the steered model say behind each. */
export async function steeredPrompts(
  { model, steering, positions, show, signal }: ShownSteering,
  examples: readonly SteeringExample[],
  strengths: readonly number[],
): Promise<SteeredPromptRecord[]> {
  const steerer = steererOf('steering', steering, { nonZero: 0 });
  const measured = await evaluateSteering(model, steerer, examples, { strengths, signal });
  const records: SteeredPromptRecord[] = [];
  for (const [i, example] of examples.entries()) {
    signal.throwIfAborted();
    const rows = [0, ...strengths].map((strength) => ({ example, strength }));
    using step = model.gpu.step({ label: 'steered prompts' });
    const tokens = tokenBatch(
      rows.map(() => example.prompt),
      model.info,
    );
    const { logits } = model.run(step, { tokens }, { interventions: steerer.interventions(rows), logits: 'last' });
    const values = await readFloats(step, logits);
    const V = model.info.vocabulary;
    const said = rows.map((_, row) => answersOf(values.subarray(row * V, (row + 1) * V), example, show));
    const [untouched, ...steered] = said as [Said, ...Said[]];
    records.push({
      tokens: tokensOf(example, positions, show),
      correct: show(example.correct),
      wrong: show(example.wrong),
      untouched,
      outcomes: steered.map((each, s) => ({
        strength: strengths[s] as number,
        ...each,
        bucket: measured[i]?.outcomes[s]?.bucket as number,
      })),
    });
  }
  return records;
}

type Said = NonNullable<SteeredPromptRecord['untouched']>;

function answersOf(logits: Float32Array, { correct, wrong }: SteeringExample, show: (id: number) => string): Said {
  const all = topTokens(logits, logits.length);
  const shareOf = (id: number): number => all.find((each) => each.id === id)?.probability ?? 0;
  return {
    delta: (logits[correct] as number) - (logits[wrong] as number),
    correct: shareOf(correct),
    wrong: shareOf(wrong),
    top: all.slice(0, TOP).map(({ id, probability }) => ({ token: show(id), p: probability })),
  };
}

/** The tokens as text, each with its column of the grid. */
function tokensOf(
  { prompt, roles }: SteeringExample,
  positions: PositionTable,
  show: (id: number) => string,
): SteeredPromptRecord['tokens'] {
  const slots = slotsOf(positions, { length: prompt.length, roles });
  return prompt.map((id, t) => {
    const [position, role] = [slots[t] as number, roles?.[t]];
    return { text: show(id), ...(position < 0 ? {} : { position }), ...(role === undefined ? {} : { role }) };
  });
}
