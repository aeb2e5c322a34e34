// A training log as a file of JSON lines, for Node: entries are appended in one write each, and a half line never outlives a resume.
import { LimnError } from '@limn/gpu';
import { nodeDisk, systemCode, type Disk } from './disk.js';
import type { TrainingLog, TrainingLogEntry } from './training-log.js';
import { removeUnfinished, writeAtomically, writeFailed } from './write-atomically.js';

/** Numbers that JSON has no form for, by the text that stands for them in a log. */
const NO_JSON = new Map([NaN, Infinity, -Infinity].map((value) => [String(value), value]));

const lineOf = (entry: TrainingLogEntry): string => {
  const text = JSON.stringify(entry, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
  return `${text}\n`;
};

/**
 * The log in `file`, which appears with `rewind`: JSON lines, with "NaN", "Infinity" and "-Infinity" as texts. An append that fails takes its
 * half line back.
 * @throws LimnError `files/write`
 */
export function openTrainingLog(file: string, disk: Disk = nodeDisk): TrainingLog {
  /** Bytes of whole lines. */
  let length = 0;
  const withFile = async (flags: string, act: (handle: Awaited<ReturnType<Disk['open']>>) => Promise<void>) => {
    try {
      const handle = await disk.open(file, flags);
      try {
        await act(handle);
      } finally {
        await handle.close();
      }
    } catch (cause) {
      await disk.truncate(file, length).catch(() => undefined);
      throw writeFailed(file, length, cause);
    }
  };
  return {
    async rewind(step) {
      await removeUnfinished(file, disk);
      const kept = (await readTrainingLog(file, disk)).filter((entry) => entry.step <= step);
      const bytes = new TextEncoder().encode(kept.map(lineOf).join(''));
      await writeAtomically(file, bytes, { disk });
      length = bytes.length;
    },
    async append(entry) {
      const bytes = new TextEncoder().encode(lineOf(entry));
      await withFile('a', (handle) => handle.writeFile(bytes));
      length += bytes.length;
    },
    flush: () => withFile('r+', (handle) => handle.sync()),
  };
}

/**
 * The whole entries of a log as they were appended, by step and each step once; none when there is no file. A line that was cut off is
 * passed over.
 * @throws LimnError `files/read`
 */
export async function readTrainingLog(file: string, disk: Disk = nodeDisk): Promise<TrainingLogEntry[]> {
  let text: string;
  try {
    text = await disk.readFile(file, 'utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw new LimnError('files/read', `${file} could not be read: ${systemCode(cause)}`, {
      details: { file, reason: systemCode(cause) },
      cause,
    });
  }
  const entries: TrainingLogEntry[] = [];
  // What stands behind the last line end is the half line of a kill.
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = entryOf(line);
    if (entry && entry.step > (entries.at(-1)?.step ?? 0)) entries.push(entry);
  }
  return entries;
}

function entryOf(line: string): TrainingLogEntry | undefined {
  try {
    const entry = JSON.parse(line, (_, value: unknown) =>
      typeof value === 'string' ? (NO_JSON.get(value) ?? value) : value,
    ) as Partial<TrainingLogEntry> | null;
    return Number.isInteger(entry?.step) && typeof entry?.loss === 'number' ? (entry as TrainingLogEntry) : undefined;
  } catch {
    return undefined;
  }
}
