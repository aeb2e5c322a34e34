// dit.json: what stands beside the weights of a DIT adapter, so that others know whose it is, what it can be asked, and what it reaches on diffs that it has not seen.
import { LimnError, shownValue } from '@limn/gpu';
import type { DitAdapterRecord as ReportedAdapter, Provenance } from '@limn/report';
import type { DitQuestion } from './dit-question.js';

/** What the field `format` says. */
export const DIT_ADAPTER_FORMAT = 'limn-dit-adapter/1';
/** What the field `schema` says, by which limn knows its own folders. */
export const DIT_ADAPTER_SCHEMA = 'limn.dit-adapter';

/** One figure with the ends of its 95 % interval. */
export type ReachedFigure = NonNullable<ReportedAdapter['heldOut']>[number];

/** What turns log-probabilities of candidates into a confidence and a decision, of one question. */
export interface DitCalibration {
  /** Candidates' log-probabilities are divided by it before they are made shares. */
  readonly temperature: number;
  /** Of 1 − p(none) at that temperature: something is said to be changed where it is above. */
  readonly noneThreshold: number;
  /** Diffs that both were fitted on, and those of them that there is nothing to tell of. */
  readonly diffs: number;
  readonly negatives: number;
  /** Share of models with nothing to tell, not seen yet, that something is to be expected to be said of. */
  readonly expectedAlarms: number;
  /** Expected calibration error on the same diffs, at temperature 1 and at the one fitted. */
  readonly error: { readonly before: number; readonly after: number };
}

/** A question with what was learnt about its answers. */
export interface AskedQuestion extends DitQuestion {
  /** null where there were no validation diffs to fit it on. */
  readonly calibration: DitCalibration | null;
  /** Labels of the training: how many examples had each, the most frequent first, and how many labels there were. */
  readonly baseRates: {
    readonly labels: number;
    readonly examples: number;
    readonly most: readonly (readonly [string, number])[];
  };
}

/** The loss and the figures of a validation. */
export interface ValidationPoint {
  readonly update: number;
  readonly loss: number;
  readonly exact: number;
  readonly mrr?: number;
}

/** The contents of dit.json. */
export interface DitAdapterFile {
  readonly schema: typeof DIT_ADAPTER_SCHEMA;
  readonly format: typeof DIT_ADAPTER_FORMAT;
  readonly base: { readonly name: string; readonly fingerprint: string; readonly processing: string };
  /** 'chat': questions are those of the chat world. */
  readonly world: 'chat' | null;
  /** Text around questions in other words. */
  readonly template: string;
  /** Tokens that end an answer. */
  readonly ends: readonly number[];
  readonly questions: readonly AskedQuestion[];
  /** sha256 of all that decides the weights but the machine. */
  readonly key: string;
  /** What was asked of the training, and what it was made of. */
  readonly training: Readonly<Record<string, unknown>>;
  readonly losses: readonly { readonly update: number; readonly loss: number }[];
  readonly validation: readonly ValidationPoint[];
  /** The update whose weights these are. */
  readonly best: number;
  readonly stopped: string;
  /** On the validation diffs, which also chose `best` and the calibration: without false alarms, whose share the threshold was set by. */
  readonly validated: readonly ReachedFigure[];
  /** On the diffs of `--test`, which decided nothing. */
  readonly heldOut: readonly ReachedFigure[];
  /** Digests of the diffs that it learnt from, was stopped by and was tested on: on the first two nothing can be measured any more. */
  readonly seen: Readonly<Record<'training' | 'validation' | 'test', readonly string[]>>;
  readonly provenance: Provenance;
}

/** Beyond every list of questions and candidates. */
export const MOST_RECORD_BYTES = 2 ** 28;

/**
 * Parses dit.json.
 * @throws LimnError `data/dit-adapter`
 */
export function parseDitAdapter(text: string, label: string): DitAdapterFile {
  let value: Partial<DitAdapterFile> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch (cause) {
    throw badRecord(label, 'it is no JSON', cause);
  }
  if (value?.format !== DIT_ADAPTER_FORMAT)
    throw badRecord(label, `its format is ${shownValue(value?.format)}, not ${DIT_ADAPTER_FORMAT}`);
  const { base, questions, ends, template, training, validation, losses, validated, heldOut, seen, key } = value;
  const sound =
    [base?.name, base?.fingerprint, base?.processing, template, key].every((each) => typeof each === 'string') &&
    [ends, validation, losses, validated, heldOut, questions, seen?.training, seen?.validation].every(Array.isArray) &&
    ends?.every(isId) === true &&
    typeof training === 'object' &&
    [...(validated ?? []), ...(heldOut ?? [])].every(isFigure) &&
    questions?.every(isQuestion) === true &&
    questions.length > 0;
  if (!sound) throw badRecord(label, 'it lacks what an adapter has');
  return value as DitAdapterFile;
}

const isId = (id: unknown): boolean => Number.isSafeInteger(id) && (id as number) >= 0;
const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;

function isQuestion(value: Partial<AskedQuestion> | null): boolean {
  const { name, text, prompt, none, candidates, calibration } = value ?? {};
  return (
    typeof name === 'string' &&
    typeof text === 'string' &&
    Array.isArray(prompt) &&
    prompt.length > 0 &&
    prompt.every(isId) &&
    (none === null || typeof none === 'string') &&
    Array.isArray(candidates) &&
    candidates.every((each) => typeof each?.text === 'string' && isId(each.id)) &&
    (calibration === null ||
      (typeof calibration === 'object' &&
        calibration.temperature > 0 &&
        Number.isFinite(calibration.temperature) &&
        isShare(calibration.noneThreshold)))
  );
}

function isFigure(value: Partial<ReachedFigure> | null): boolean {
  const { what, value: mean, interval, count } = value ?? {};
  return (
    typeof what === 'string' &&
    Number.isFinite(mean) &&
    Array.isArray(interval) &&
    interval.length === 2 &&
    interval.every(Number.isFinite) &&
    isId(count)
  );
}

function badRecord(label: string, what: string, cause?: unknown): LimnError {
  return new LimnError('data/dit-adapter', `dit.json of ${label}: ${what}`, {
    details: { label },
    hint: 'give a folder that `limn dit train` wrote',
    ...(cause === undefined ? {} : { cause }),
  });
}
