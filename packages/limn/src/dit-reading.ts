// One weight diff asked what it changed: base, base + diff, base + adapter and all three side by side, and where in the diff the answer comes from.
import {
  adapterChangesNothing,
  adapterEffect,
  diffDirections,
  diffNorms,
  layerReading,
  LoraAdapter,
  strengthCurve,
} from '@limn/dit';
import {
  READING_FORMAT,
  type DitReadingAnswer,
  type DitReadingRecord,
  type DitTable,
  type Provenance,
} from '@limn/report';
import { askedDiffs, type AskControls, type DiffAnswer } from './asked-diffs.js';
import type { CommandContext } from './context.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import type { OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';
import {
  aboutOf,
  adapterOf,
  baseOf,
  calibrationOf,
  candidateTable,
  gateTables,
  STANDING_NOTE,
} from './reading-parts.js';

/** What is read. */
export interface ReadingRequest {
  readonly model: OpenModel;
  readonly diff: OpenedDiff;
  readonly adapter: OpenDitAdapter | null;
  readonly questions: readonly AskedQuestion[];
  readonly controls: Omit<AskControls, 'phase'>;
  /** Directions of each map. */
  readonly directions: number;
  readonly provenance: Provenance;
}

/** One question to all that are asked. */
export interface AskedFour {
  readonly question: AskedQuestion;
  /** By who was asked, in the order of the record. */
  readonly all: ReadonlyMap<DitReadingAnswer['who'], DiffAnswer>;
}

/** A record, and what else is told. */
export interface DitReading {
  readonly record: DitReadingRecord;
  readonly asked: readonly AskedFour[];
  /** What puts the reading in doubt, one sentence each. */
  readonly warnings: readonly string[];
}

/** Tokens at either end of a direction. */
const TOKENS = 6;

/**
 * Asks all, and reads the diff.
 * @param tables shown behind those of the answers
 * @throws LimnError as `askDiffs`, `diffNorms`, `diffDirections`, `layerReading`; AbortedError
 */
export async function ditReading(
  request: ReadingRequest,
  asked: readonly [AskedFour, ...AskedFour[]],
  { signal }: Pick<CommandContext, 'signal'>,
  tables: readonly DitTable[] = [],
): Promise<DitReading> {
  const { model, diff, adapter, provenance } = request;
  const { hooked } = model;
  const [{ question, all }, ...others] = asked;
  const warnings = await doubtsOf(request, asked[0], signal);
  const norms = await diffNorms(hooked, diff.lora);
  const directions = await diffDirections(hooked, diff.lora, {
    count: request.directions,
    tokens: Math.min(TOKENS, hooked.info.vocabulary),
    signal,
  });
  const read = all.get('base+diff+adapter');
  const record: DitReadingRecord = {
    format: READING_FORMAT,
    provenance,
    base: baseOf(model),
    diff: { name: diff.name, rank: diff.lora.rank, modules: [...diff.lora.modules.keys()], ...aboutOf(diff, question) },
    adapter: adapter && adapterOf(adapter),
    question: question.text,
    note: [STANDING_NOTE, ...warnings].join(' '),
    answers: answersOf(asked[0]),
    norms: norms.map((norm) => ({ ...norm, relative: Number.isFinite(norm.relative) ? norm.relative : null })),
    directions: directions.map(({ map, layer, side, strength, share, tokens, opposite }) => ({
      map,
      layer,
      side,
      strength,
      share: Math.min(1, share),
      tokens: [...tokens, ...opposite].map(({ id, value }) => ({ text: model.show(id), value })),
    })),
    tables: [
      ...asked.flatMap((each) => {
        const { among } = each.all.get('base+diff+adapter') ?? {};
        return among ? [candidateTable(each.question.text, among)] : [];
      }),
      ...tables,
      ...gateTables(diff.trained?.gate),
    ],
    ...(others.length > 0
      ? { more: others.map((each) => ({ question: each.question.text, answers: answersOf(each) })) }
      : {}),
    ...(read?.among && read.among.none !== null
      ? { verdict: { decision: read.among.decision, confidence: read.among.confidence, none: read.among.none } }
      : {}),
    ...(adapter && question.calibration ? { calibration: calibrationOf(question.calibration) } : {}),
    ...(await readingOf(request, question, read ?? all.get('base+diff'), signal)),
  };
  return { record, asked, warnings };
}

/**
 * One question to the base and to base + diff, and where there is an adapter to both with it.
 * @throws LimnError as `askDiffs`; AbortedError
 */
export async function askedFour(
  { model, diff, adapter, controls }: ReadingRequest,
  question: AskedQuestion,
  context: CommandContext,
): Promise<AskedFour> {
  const two = [null, diff.lora];
  const [base, changed] = (await askedDiffs(model, two, null, question, controls, context)) as [DiffAnswer, DiffAnswer];
  const all = new Map<DitReadingAnswer['who'], DiffAnswer>([
    ['base', base],
    ['base+diff', changed],
  ]);
  if (adapter) {
    const [bare, read] = (await askedDiffs(model, two, adapter.lora, question, controls, context)) as [
      DiffAnswer,
      DiffAnswer,
    ];
    all.set('base+adapter', bare).set('base+diff+adapter', read);
  }
  return { question, all };
}

const answersOf = ({ all }: AskedFour): DitReadingRecord['answers'] =>
  Array.from(all, ([who, { text, probability, top, ended }]) => ({ who, text, probability, top, ended }));

/** Layer by layer and strength by strength, of the answer that is read. */
async function readingOf(
  { model: { hooked }, diff, adapter }: ReadingRequest,
  { prompt }: AskedQuestion,
  answer: DiffAnswer | undefined,
  signal: AbortSignal,
): Promise<Pick<DitReadingRecord, 'layers' | 'strengths'>> {
  if (answer === undefined || answer.tokens.length === 0) return {};
  const { tokens, text } = answer;
  const lora = adapter?.lora ?? null;
  const layers = await layerReading(hooked, diff.lora, lora, prompt, tokens, { signal });
  const strengths = await strengthCurve(hooked, diff.lora, lora, prompt, tokens, { signal });
  return {
    layers: {
      answer: text,
      whole: logShare(layers.whole),
      bare: logShare(layers.none),
      rows: layers.layers.map(({ layer, without, only }) => ({
        layer,
        without: logShare(without),
        only: logShare(only),
      })),
    },
    strengths: {
      answer: text,
      points: strengths.map(({ strength, logProbability }) => ({ strength, logProbability: logShare(logProbability) })),
    },
  };
}

/** A log-probability that round-off may have put above 0. */
const logShare = (value: number): number => Math.min(0, value);

async function doubtsOf(
  { model: { hooked }, diff, adapter }: ReadingRequest,
  { question: { prompt }, all }: AskedFour,
  signal: AbortSignal,
): Promise<string[]> {
  using placed = new LoraAdapter(hooked, diff.lora, { name: 'diff' });
  const nothing =
    adapterChangesNothing(diff.lora) ||
    (await adapterEffect(hooked, placed.interventions(), [prompt], { signal })).changesNothing;
  const [bare, read] = [all.get('base+adapter'), all.get('base+diff+adapter')];
  return [
    ...(nothing
      ? [
          'The diff changes no logit of this question: a training that never began, a lost factor or another base look like this.',
        ]
      : []),
    ...(bare && read && bare.text === read.text
      ? ['The adapter says the same without the diff, so the answer does not come from it.']
      : []),
    ...(adapter && adapter.record.heldOut.length === 0
      ? ['How often this adapter is right about diffs that decided nothing in its training was not measured.']
      : []),
  ];
}
