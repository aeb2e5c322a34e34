// What the checkpoints of a fine-tune answer over its updates, as lines of probabilities.
import type { DitWatchRecord } from '@limn/report';
import type { AuditedDiff } from './diff-audit.js';
import type { AskedQuestion } from './dit-adapter-record.js';

/** Answers beyond "nothing" and the label that have a line. */
const MOST_ANSWERS = 8;

/** A line for "nothing", for the label where one is known, and for the answers that were the likeliest somewhere. */
export function watchSeries(
  checkpoints: readonly AuditedDiff[],
  { none, candidates }: AskedQuestion,
  shares: (diff: AuditedDiff) => Float64Array,
): DitWatchRecord {
  const placeOf = new Map(candidates.map(({ text }, place) => [text, place]));
  const all = checkpoints.map(shares);
  const label = checkpoints.find((each) => each.label != null)?.label ?? undefined;
  const highest = new Map<string, number>();
  for (const { answer } of checkpoints)
    for (const { text, probability } of answer.among.ranked.slice(0, 1))
      if (text !== none && text !== label) highest.set(text, Math.max(highest.get(text) ?? 0, probability));
  const answers = [...highest].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_ANSWERS);
  const line = (name: string, kind: 'answer' | 'label' | 'none'): DitWatchRecord['lines'][number] => {
    const place = placeOf.get(name);
    return { name, kind, values: all.map((own) => (place === undefined ? null : (own[place] ?? null))) };
  };
  return {
    unit: 'update',
    at: checkpoints.map(({ update }) => update ?? 0),
    lines: [
      ...(none === null ? [] : [line(none, 'none')]),
      ...(label === undefined ? [] : [line(label, 'label')]),
      ...answers.map(([name]) => line(name, 'answer')),
    ],
  };
}
