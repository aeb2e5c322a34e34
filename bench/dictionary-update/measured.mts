// An update measured: checked first, then timed in turns with whoever does the same, its memory and its counts beside it.
import type { Gpu } from '@limn/gpu';
import { dictionaryShapes, traineeBytes } from '@limn/transcoders';
import { cpuClock } from '../harness/clock.mjs';
import type { Contender } from '../harness/contender.mjs';
import { timed } from '../harness/limn-contender.mjs';
import { measure, type Samples } from '../harness/measure.mjs';
import { ratioOf, timingOf, type Timing } from '../harness/statistics.mjs';
import type { Pytorch } from '../peers/pytorch.mjs';
import { lossInFloat64 } from './float64.mjs';
import { limnUpdate } from './limn-update.mjs';
import { firstTokens, type DictionaryUpdateSpec } from './spec.mjs';

/** Most that losses may differ by, as a part of them. */
const TOLERANCE = 1e-4;
/** Updates whose losses are compared: from the second on they are those of trained weights. */
const COMPARED = 2;
/** Tokens whose loss is compared with float64. */
const IN_FLOAT64 = 64;
/** Labels that are put on record. */
const MOST_LABELS = 12;

/** Bytes of an update; `weights` to `stepBound` are known before it, `allocated` is what the arena had at most. */
export interface UpdateBytes {
  readonly weights: number;
  /** Adam's moments, and the counters of dead features. */
  readonly state: number;
  readonly rows: number;
  /** Buffers of the step's own values as planned, and the most of such values alive at one time. */
  readonly step: number;
  readonly stepBound: number;
  readonly planned: number;
  readonly allocated: number;
}

/** Somebody who makes the same update. */
export interface UpdateTimes {
  readonly name: string;
  /** Of the first updates. */
  readonly losses: readonly number[];
  /** Milliseconds of one update. */
  readonly wall: Timing;
  readonly cpu: Timing;
  readonly tokensPerSecond: { readonly wall: number; readonly cpu: number };
  /** limn's tokens/s over theirs, round by round. */
  readonly ratio?: { readonly wall: Timing; readonly cpu: Timing };
}

/** What was found. */
export interface MeasuredUpdate {
  readonly bytes: UpdateBytes;
  readonly flops: number;
  readonly dispatches: number;
  readonly submits: number;
  /** Made for one update in the steady state. */
  readonly made: { readonly buffers: number; readonly bindGroups: number; readonly pipelines: number };
  /** The loss of some tokens alone. */
  readonly float64: { readonly tokens: number; readonly loss: number; readonly expected: number };
  readonly by: readonly UpdateTimes[];
  /** GPU milliseconds of one update by label, longest first; absent without timestamps. */
  readonly profile?: readonly { readonly label: string; readonly count: number; readonly milliseconds: number }[];
}

/** Checks and measures it. Throws where a loss is wrong. */
export async function measureUpdate(
  gpu: Gpu,
  spec: DictionaryUpdateSpec,
  { rounds, pytorch, say }: { readonly rounds: number; readonly pytorch?: Pytorch; say(line: string): void },
): Promise<MeasuredUpdate> {
  const float64 = await checkedInFloat64(gpu, spec);
  say(`the first loss of ${float64.tokens} of the tokens: ${float64.loss}, in float64 ${float64.expected}`);
  const ours = limnUpdate(gpu, spec);
  const all: Contender[] = [ours];
  try {
    if (pytorch) all.push(await pytorch.prepare(spec));
    const losses: number[][] = [];
    for (const { name, result } of all) {
      const own: number[] = [];
      for (let update = 0; update < COMPARED; update++) own.push((await result())[0]!);
      losses.push(own);
      say(`losses of ${name}: ${own.join(', ')}`);
      own.forEach((loss, update) => expectClose(`loss ${update + 1} of ${name}`, loss, losses[0]![update]!));
    }
    const samples = await measure(all, {
      rounds,
      warmUps: 1,
      sampleMilliseconds: 0,
      cpu: cpuClock(),
      onSample: (done, of) => say(`  ${done}/${of} samples`),
    });
    const { dispatches, submits, made, allocated } = await countsOf(gpu, ours);
    const profile = gpu.capabilities.timestamps ? await timed(gpu, true, () => ours.run(1)) : undefined;
    const plan = ours.plan()!;
    return {
      bytes: bytesOf(spec, plan, allocated),
      flops: plan.flops,
      dispatches,
      submits,
      made,
      float64,
      by: all.map(({ name }, i) => timesOf(spec, name, losses[i]!, samples[i]!, i === 0 ? undefined : samples[0]!)),
      ...(profile ? { profile: profile.slice(0, MOST_LABELS) } : {}),
    };
  } finally {
    for (const each of all) await each.dispose();
  }
}

/** An update of the first tokens alone, whose loss float64 takes seconds for, not a minute. */
async function checkedInFloat64(gpu: Gpu, spec: DictionaryUpdateSpec): Promise<MeasuredUpdate['float64']> {
  const part = firstTokens(spec, IN_FLOAT64);
  const update = limnUpdate(gpu, part);
  try {
    const loss = (await update.result())[0]!;
    const expected = lossInFloat64(part);
    expectClose(`the first loss of ${part.sizes.tokens} tokens`, loss, expected);
    return { tokens: part.sizes.tokens, loss, expected };
  } finally {
    await update.dispose();
    gpu.trim();
  }
}

function expectClose(what: string, got: number, expected: number): void {
  const off = Math.abs(got - expected) / Math.abs(expected);
  if (!(off <= TOLERANCE)) throw new Error(`${what} is ${got}; it should be ${expected} to ${TOLERANCE} of it`);
}

/** Of one update more, which finds the plan and the buffers of those before. */
async function countsOf(gpu: Gpu, contender: Contender) {
  gpu.resetCounters();
  await contender.run(1);
  const { dispatches, submits, buffersCreated, bindGroupsCreated, pipelinesCreated, bytesPeak } =
    gpu.counters.snapshot();
  const made = { buffers: buffersCreated, bindGroups: bindGroupsCreated, pipelines: pipelinesCreated };
  return { dispatches, submits, made, allocated: bytesPeak };
}

function bytesOf(
  { config, sizes: { tokens, width } }: DictionaryUpdateSpec,
  plan: { readonly bytesPeak: number; readonly bytesLowerBound: number },
  allocated: number,
): UpdateBytes {
  const held = traineeBytes({ config });
  const weights = [...dictionaryShapes(config).values()].reduce(
    (sum, shape) => sum + 4 * shape.reduce((a, b) => a * b),
    0,
  );
  const rows = 2 * 4 * tokens * width;
  const { bytesPeak: step, bytesLowerBound: stepBound } = plan;
  return { weights, state: held - weights, rows, step, stepBound, planned: held + rows + step, allocated };
}

function timesOf(
  { sizes: { tokens } }: DictionaryUpdateSpec,
  name: string,
  losses: readonly number[],
  theirs: Samples,
  ours: Samples | undefined,
): UpdateTimes {
  const [wall, cpu] = [timingOf(theirs.wall), timingOf(theirs.cpu)];
  const perSecond = ({ median }: Timing): number => (1e3 * tokens) / median;
  return {
    name,
    losses,
    wall,
    cpu,
    tokensPerSecond: { wall: perSecond(wall), cpu: perSecond(cpu) },
    ...(ours ? { ratio: { wall: ratioOf(theirs.wall, ours.wall), cpu: ratioOf(theirs.cpu, ours.cpu) } } : {}),
  };
}
