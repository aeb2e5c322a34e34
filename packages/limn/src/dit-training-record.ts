// What came of training an adapter: its figures and its calibration on validation diffs, and dit.json.
import { calibrate, type LoraWeights, type TrainedDitAdapter } from '@limn/dit';
import type { Provenance } from '@limn/report';
import { askedDiffs, rankedCandidates, type DiffAnswer } from './asked-diffs.js';
import type { DitTrainOptions } from './commands/dit-train.js';
import type { CommandContext } from './context.js';
import {
  DIT_ADAPTER_FORMAT,
  DIT_ADAPTER_SCHEMA,
  type AskedQuestion,
  type DitAdapterFile,
  type DitCalibration,
} from './dit-adapter-record.js';
import type { DitQuestion } from './dit-question.js';
import type { DitTrainingData } from './dit-training-data.js';
import { evaluatedAdapter } from './evaluated-adapter.js';
import { withLabels, type LabelledDiff } from './labelled-diffs.js';
import {
  answerFigures,
  reachedFigures,
  measuredAnswer,
  type AnswerFigures,
  type MeasuredAnswer,
} from './measured-adapter.js';
import type { OpenModel } from './model-source.js';
import { answerTokens } from './question-file.js';

/** An adapter's answers about validation diffs. */
export interface MeasuredTraining {
  readonly questions: readonly AskedQuestion[];
  readonly figures: readonly AnswerFigures[];
}

/** Labels whose counts are kept. */
const SHOWN_LABELS = 10;
/** Candidates of an answer that are kept; figures need none of them. */
const TOLD = 5;

/**
 * Asks about every validation diff, fits the calibration, and measures.
 * @throws LimnError as `askedDiffs`; AbortedError
 */
export async function measureTrained(
  model: OpenModel,
  adapter: LoraWeights,
  data: DitTrainingData,
  { maxNewTokens, falseAlarms, seed }: Pick<DitTrainOptions, 'maxNewTokens' | 'falseAlarms' | 'seed'>,
  context: CommandContext,
): Promise<MeasuredTraining> {
  const measured: MeasuredAnswer[] = [];
  const questions: AskedQuestion[] = [];
  for (const plain of data.questions) {
    const question = { ...plain, calibration: null, baseRates: baseRatesOf(plain, data.training) };
    const labelled = withLabels(data.validating, plain);
    const answers = await askedDiffs(
      model,
      labelled.map(({ diff }) => diff.lora),
      adapter,
      question,
      { top: TOLD, maxNewTokens, ends: data.ends, phase: `validation: ${plain.name}` },
      context,
    );
    const firsts = labelled.map(({ label }) => answerTokens(label, model)[0]);
    const asked = { ...question, calibration: calibrationOf(plain, answers, firsts, falseAlarms) };
    questions.push(asked);
    labelled.forEach(({ diff, label }, i) => {
      const answer = calibrated(answers[i] as DiffAnswer, asked);
      measured.push(measuredAnswer(diff, asked, label, firsts[i] as number, answer));
    });
  }
  return { questions, figures: answerFigures(measured, seed) };
}

/**
 * Asks about the diffs that decided nothing, with the calibration as it is.
 * @throws LimnError as `askedDiffs`; AbortedError
 */
export async function testTrained(
  model: OpenModel,
  lora: LoraWeights,
  { testing, ends }: DitTrainingData,
  { questions }: MeasuredTraining,
  { maxNewTokens, seed }: Pick<DitTrainOptions, 'maxNewTokens' | 'seed'>,
  context: CommandContext,
): Promise<readonly AnswerFigures[]> {
  if (testing.length === 0) return [];
  const controls = { top: TOLD, maxNewTokens, ends };
  const { figures } = await evaluatedAdapter(
    { model, questions, diffs: testing, controls, seed },
    lora,
    context,
    'test',
  );
  return figures;
}

/** An answer read again with a calibration. */
function calibrated(answer: DiffAnswer, question: AskedQuestion): DiffAnswer {
  if (!answer.among) return answer;
  return { ...answer, among: rankedCandidates(answer.among.scores, answer.tokens[0], question, TOLD) };
}

/** null where the question has no answer for "nothing", or none of the diffs has it for its label. */
function calibrationOf(
  { candidates, none: nothing }: DitQuestion,
  answers: readonly DiffAnswer[],
  firsts: readonly number[],
  rate: number,
): DitCalibration | null {
  const none = candidates.findIndex(({ text }) => text === nothing);
  const scored = answers.flatMap(({ among }, i) => {
    const right = candidates.findIndex(({ id }) => id === firsts[i]);
    return among && right >= 0 ? [{ scores: among.scores, right }] : [];
  });
  if (none < 0 || !scored.some(({ right }) => right === none)) return null;
  const { temperature, noneThreshold, reliability, none: threshold } = calibrate(scored, { none, rate });
  return {
    temperature,
    // A sum of shares may pass 1 by round-off.
    noneThreshold: Math.min(1, noneThreshold),
    diffs: scored.length,
    negatives: threshold.negatives,
    expectedAlarms: threshold.expected,
    error: { before: reliability.before.error, after: reliability.after.error },
  };
}

function baseRatesOf(question: DitQuestion, training: readonly LabelledDiff[]): AskedQuestion['baseRates'] {
  const counts = new Map<string, number>();
  for (const { diff, label } of withLabels(training, question))
    counts.set(label, (counts.get(label) ?? 0) + diff.copies);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const examples = sorted.reduce((sum, [, count]) => sum + count, 0);
  return { labels: sorted.length, examples, most: sorted.slice(0, SHOWN_LABELS) };
}

/** What dit.json is made of. */
export interface DitFileRequest {
  readonly model: OpenModel;
  readonly options: DitTrainOptions;
  readonly data: DitTrainingData;
  readonly trained: TrainedDitAdapter;
  readonly measured: MeasuredTraining;
  /** Of the diffs that decided nothing. */
  readonly heldOut: readonly AnswerFigures[];
  readonly provenance: Provenance;
}

/** dit.json of an adapter that was trained. */
export function ditFile({
  model,
  options,
  data,
  trained,
  measured,
  heldOut,
  provenance,
}: DitFileRequest): DitAdapterFile {
  const { name, hooked } = model;
  const { key, losses, validation, best, stopped, settings } = trained;
  const kinds = new Map<string, number>();
  for (const { kind } of data.training) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  return {
    schema: DIT_ADAPTER_SCHEMA,
    format: DIT_ADAPTER_FORMAT,
    base: { name, fingerprint: hooked.info.fingerprint, processing: hooked.info.processing },
    world: options.world ?? null,
    template: data.template,
    ends: data.ends,
    questions: measured.questions,
    key,
    training: {
      ...settings,
      diffs: Object.fromEntries(kinds),
      examples: data.examples.length,
      validationDiffs: data.validating.length,
      testDiffs: data.testing.length,
    },
    losses,
    validation,
    best,
    stopped,
    validated: reachedFigures(measured.figures, ['all']),
    heldOut: reachedFigures(heldOut, ['all', 'nothing to tell']),
    seen: data.seen,
    provenance,
  };
}

/** An adapter in lines of at most 80 columns. */
export function describeAdapter(file: DitAdapterFile): string[] {
  const { losses, validation, best, stopped, validated, heldOut, questions } = file;
  const figures = (of: DitAdapterFile['heldOut'], on: string): string[] =>
    of.length === 0
      ? []
      : [
          `on ${on}:`,
          ...of.flatMap(({ what, value, interval: [low, high], count }) => [
            `  ${what}`,
            `    ${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}, ${count} diffs)`,
          ]),
        ];
  const last = losses.at(-1);
  const chosen = validation.find(({ update }) => update === best);
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return [
    `trained ${last?.update ?? 0} updates, loss ${last?.loss.toFixed(4) ?? '–'} nats${stopped === 'patience' ? ', stopped early' : ''}`,
    ...(chosen ? [`weights are those of update ${best}: validation loss ${chosen.loss.toFixed(4)}`] : []),
    ...figures(validated, 'the diffs that it was stopped by'),
    ...figures(heldOut, 'diffs that decided nothing'),
    ...questions.flatMap(({ name, calibration }) =>
      calibration
        ? [
            `${name}: temperature ${calibration.temperature.toFixed(2)}; something is told above ${calibration.noneThreshold.toPrecision(3)}`,
            `  expected calibration error ${percent(calibration.error.after)}, before ${percent(calibration.error.before)}`,
            `  false alarms to be expected: ${percent(calibration.expectedAlarms)}, from ${calibration.negatives} models with nothing to tell`,
          ]
        : [`${name}: no calibration, so nothing is decided`],
    ),
  ];
}
