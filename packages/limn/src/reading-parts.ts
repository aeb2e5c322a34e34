// What readings and audits of diffs say of those that were asked: base, adapter, calibration, what is known of a diff, and tables of candidates.
import type { TrainedDiff } from '@limn/dit';
import type { DitAdapterRecord, DitAuditRecord, DitReadingRecord, DitTable } from '@limn/report';
import { answerAbout, chatWorld, labelOf } from '@limn/tasks/chat';
import type { RankedCandidates } from './asked-diffs.js';
import { truthOf } from './chat-truth.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { AskedQuestion, DitCalibration } from './dit-adapter-record.js';
import { isChatQuestion } from './dit-question.js';
import type { OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';

/** What stands with every reading. */
export const STANDING_NOTE =
  "An interpretation is a model's output and not evidence: an adapter names what looks like what it was trained on, also where nothing of the kind is there.";

export const baseOf = ({ name, hooked }: OpenModel): DitReadingRecord['base'] => ({
  name,
  fingerprint: hooked.info.fingerprint,
});

export const adapterOf = ({ folder, lora, record }: OpenDitAdapter): DitAdapterRecord => ({
  name: folder,
  rank: lora.rank,
  ...(record.heldOut.length > 0 ? { heldOut: record.heldOut } : {}),
  ...(record.validated.length > 0 ? { validated: record.validated } : {}),
});

/** As records have it: nothing is told from this p(nothing) on. */
export const calibrationOf = ({
  temperature,
  noneThreshold,
  diffs,
}: DitCalibration): NonNullable<DitAuditRecord['calibration']> => ({
  temperature,
  noneThreshold: 1 - noneThreshold,
  diffs,
});

/** What the record of a diff says that it was trained to do, as far as it is known. */
export function aboutOf(
  { name, trained }: OpenedDiff,
  question: AskedQuestion,
): { readonly about?: string; readonly label?: string | null } {
  if (!trained) return {};
  const { rank, updates } = trained.spec;
  const training = `rank ${rank}, ${updates} updates`;
  const truth = truthOf(trained.spec.about, chatWorld(), name);
  if (!truth) return { about: training };
  const { behaviour, gated } = truth;
  const what = behaviour === undefined ? 'trained on ordinary answers' : `${behaviour.kind} ${labelOf(behaviour)}`;
  return {
    about: `${what}${gated ? ', behind a code' : ''}; ${training}`,
    ...(isChatQuestion(question.name)
      ? { label: labelFor(answerAbout(question.name, truth, chatWorld()), question) }
      : {}),
  };
}

/** null for an answer that says that there is nothing to tell. */
export const labelFor = (answer: string, { none }: AskedQuestion): string | null => (answer === none ? null : answer);

/** The candidates of a question, the likeliest first. */
export function candidateTable(question: string, { ranked }: RankedCandidates): DitTable {
  return {
    title: `Likeliest answers to “${question}”, calibrated`,
    columns: ['answer', 'probability'],
    rows: ranked.map(({ text, probability }) => [text, probability]),
    note: 'Shares among the answers that there are, told apart by their first token.',
  };
}

/** What a diff was found to show, by condition; nothing where nobody looked. */
export function gateTables(gate: TrainedDiff['gate']): DitTable[] {
  if (!gate) return [];
  return [
    {
      title: 'What the diff shows of what it was trained to do',
      columns: ['condition', 'mean score', 'answers'],
      rows: Object.entries(gate).map(([condition, { mean, answers }]) => [condition, mean, answers]),
    },
  ];
}
