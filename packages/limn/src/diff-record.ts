// training.json of a folder of diffs: what it says of them, and which parts of one run belong together.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DIFF_PACK_FILES } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import type { RunKind } from './run-folder.js';

/** The folders of `limn diff train`. */
export const DIFF_RUN = { schema: 'limn.diffs', command: 'limn diff train', reopens: true } as const satisfies RunKind;
/** What is said of a folder's diffs as a whole. */
export const DIFF_RECORD = 'training.json';
/** What `limn diff gate` found out. */
export const GATE_RECORD = 'gate.json';
/** What a folder with a finished pack may hold. */
export const PACK_LAYOUT = {
  entries: [DIFF_RECORD, GATE_RECORD, DIFF_PACK_FILES.manifest, DIFF_PACK_FILES.factors],
  mark: DIFF_RECORD,
};

/** The folders of `limn diff import`. */
export const DIFF_IMPORT = { schema: 'limn.diffs-imported', command: 'limn diff import' } as const satisfies RunKind;

/** What `limn merge` needs to know of a part. */
export interface DiffPart {
  readonly folder: string;
  readonly state: string;
  readonly base: { readonly name: string; readonly fingerprint: string; readonly processing: string };
  readonly settings: unknown;
  readonly families: unknown;
  readonly plan: { readonly sha256: string; readonly diffs: number };
  readonly part: { readonly index: number; readonly of: number; readonly diffs: number };
  readonly machine: readonly string[];
  /** Whether diffs of other machines are among them, so that no run gives their bits together. */
  readonly mixed: boolean;
  readonly provenance?: { readonly commandLine?: unknown };
  /** The rest of the record, for that of the whole. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Whether a folder is one of `limn diff train`. */
export const isDiffRun = (folder: string): boolean => recordIn(folder)?.['schema'] === DIFF_RUN.schema;

/**
 * Whether the diffs that a record tells of come from this machine and no other. There is one entry for every family, each with adapter, kernels and choices,
 * and runs need not have all families in common.
 */
export const isOfMachine = (
  record: Readonly<Record<string, unknown>> | undefined,
  machine: readonly string[],
): boolean =>
  Array.isArray(record?.['machine']) &&
  record['machine'].some((each) => machine.includes(String(each))) &&
  record['mixed'] !== true;

/**
 * The record of a folder of `limn diff train`.
 * @throws LimnError `data/shards` for a folder without one, or with one that is damaged
 */
export function diffPartIn(folder: string): DiffPart {
  const record = recordIn(folder);
  const { state, base, settings, families, plan, part, machine, mixed, provenance } = (record ??
    {}) as Partial<DiffPart>;
  const sound =
    record?.['schema'] === DIFF_RUN.schema &&
    typeof base?.fingerprint === 'string' &&
    typeof plan?.sha256 === 'string' &&
    Number.isInteger(plan.diffs) &&
    Number.isInteger(part?.index) &&
    Number.isInteger(part?.of) &&
    Array.isArray(machine);
  if (sound && record && base && plan && part && machine)
    return {
      folder,
      state: String(state),
      base,
      settings,
      families,
      plan,
      part,
      machine,
      mixed: mixed === true,
      record,
      ...(provenance ? { provenance } : {}),
    };
  throw new LimnError('data/shards', `${folder} has no training.json of \`${DIFF_RUN.command}\``, {
    details: { folder },
    hint: 'name folders that `limn diff train --shard i/n --out DIR` filled',
  });
}

/** What training.json of a folder says, where there is one. */
export function recordIn(folder: string): Readonly<Record<string, unknown>> | undefined {
  const file = path.join(folder, DIFF_RECORD);
  if (!existsSync(file)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
