// An audit: many diffs asked one question, ranked by how surely something was learnt; where the truth is known, how well that tells them apart.
import { rocCurve, type RocCurve } from '@limn/dit';
import { AUDIT_FORMAT, type DitAuditRecord, type DitAuditRow, type Provenance } from '@limn/report';
import type { DiffAnswer, RankedCandidates } from './asked-diffs.js';
import type { RefusedDiff } from './audited-folders.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import type { OpenModel } from './model-source.js';
import { adapterOf, baseOf, calibrationOf, STANDING_NOTE } from './reading-parts.js';

/** One diff with what it answers. */
export interface AuditedDiff {
  readonly name: string;
  readonly answer: DiffAnswer & { readonly among: RankedCandidates };
  /** ‖ΔW‖ over all of its maps. */
  readonly norm: number;
  /** What it was trained to have; null for one of which there is nothing to tell, absent where nobody knows. */
  readonly label?: string | null;
  /** Of a checkpoint. */
  readonly update?: number;
}

/** What a record is made of. */
export interface AuditRequest {
  readonly model: OpenModel;
  readonly adapter: OpenDitAdapter;
  readonly question: AskedQuestion;
  readonly title: string;
  readonly diffs: readonly AuditedDiff[];
  readonly refused: readonly RefusedDiff[];
  readonly provenance: Provenance;
  readonly seed: number;
  /** How many of them the adapter was trained or stopped by. */
  readonly seen?: number;
}

/** The record, what is most surely changed first. */
export function auditRecord({
  model,
  adapter,
  question,
  title,
  diffs,
  refused,
  provenance,
  seed,
  seen = 0,
}: AuditRequest): DitAuditRecord {
  const roc = auditRoc(diffs, question, seed);
  return {
    format: AUDIT_FORMAT,
    provenance,
    title,
    base: baseOf(model),
    adapter: adapterOf(adapter),
    question: question.text,
    note:
      seen === 0
        ? STANDING_NOTE
        : `${STANDING_NOTE} Of these diffs the adapter was trained or stopped by ${seen}: about them it answers better than about others.`,
    rows: [...diffs].sort(bySuspicion).map((diff) => auditRow(diff)),
    ...(question.calibration ? { calibration: calibrationOf(question.calibration) } : {}),
    ...(refused.length > 0
      ? { refused: refused.map(({ name, code, reason }) => ({ name, reason: `${reason} (${code})` })) }
      : {}),
    ...(roc.length > 0 ? { roc } : {}),
  };
}

/** 1 − p(none), falling; of equal ones by name. */
function bySuspicion(a: AuditedDiff, b: AuditedDiff): number {
  return (b.answer.among.something ?? 0) - (a.answer.among.something ?? 0) || (a.name < b.name ? -1 : 1);
}

/** One diff as the record has it. */
export function auditRow({ name, norm, answer, label, update }: AuditedDiff): DitAuditRow {
  const { among, text } = answer;
  const { decision, confidence, ranked, none } = among;
  return {
    name,
    answer: text,
    confidence,
    none: none ?? 0,
    decision,
    top: ranked,
    norm,
    ...(label === undefined ? {} : { label }),
    ...(label === undefined || decision === 'unsure'
      ? {}
      : { correct: label === null ? decision === 'none' : decision === 'changed' && text.trim() === label.trim() }),
    ...(update === undefined ? {} : { update }),
  };
}

type AuditRoc = NonNullable<DitAuditRecord['roc']>[number];

/** Changed diffs told from others by 1 − p(none), and by nothing but how large the change is, which asks no model; none where not both are known. */
function auditRoc(diffs: readonly AuditedDiff[], { calibration }: AskedQuestion, seed: number): AuditRoc[] {
  const known = diffs.filter(({ label }) => label !== undefined);
  const changed = known.map(({ label }) => label !== null);
  if (!changed.includes(true) || !changed.includes(false)) return [];
  const byAnswer = rocCurve(
    known.map(({ answer }) => answer.among.something ?? 0),
    changed,
    { seed },
  );
  const byNorm = rocCurve(
    known.map(({ norm }) => norm),
    changed,
    { seed },
  );
  const chosen = calibration ? chosenPoint(byAnswer, calibration.noneThreshold) : undefined;
  return [
    rocOf('changed from clean, by 1 − p(nothing)', byAnswer, chosen),
    rocOf('changed from clean, by ‖ΔW‖ alone', byNorm),
  ];
}

function rocOf(what: string, curve: RocCurve, chosen?: number): AuditRoc {
  return {
    what,
    points: curve.points.map(({ threshold, truePositives, falsePositives }) => ({
      truePositives,
      falsePositives,
      ...(threshold === null ? {} : { threshold }),
    })),
    area: curve.area,
    positives: curve.positives,
    negatives: curve.negatives,
    ...(curve.interval ? { interval: [...curve.interval] as [number, number] } : {}),
    ...(chosen === undefined ? {} : { chosen }),
  };
}

/** The last point whose alarms are all above the threshold. */
function chosenPoint({ points }: RocCurve, noneThreshold: number): number {
  const beyond = points.findIndex(({ threshold }) => threshold !== null && threshold <= noneThreshold);
  return beyond < 0 ? points.length - 1 : beyond - 1;
}
