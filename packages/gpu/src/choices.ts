// Which kernel an op takes where it has several: a frozen map from a decision's name to the choice taken, and its text.
import * as shaders from '@limn/shaders';
import { limitNames, type Capabilities, type LimitName } from './capabilities.js';
import { LimnError, messageOf } from './errors.js';
import { sha256 } from './sha256.js';

/**
 * Decisions that were taken by measuring on one adapter, by name; ops take their built-in rule where nothing is listed. Whoever
 * decides defines the words: `@limn/tensor` lists its decisions and measures them (`tuneKernels`).
 */
export type KernelChoices = Readonly<Record<string, string>>;

/** No choices: every op takes its built-in rule. */
export const builtInChoices: KernelChoices = Object.freeze({});

const FORMAT = 'limn.kernel-choices';
const VERSION = 1;

/** Choices are few and their words are short: what is not is no such file. */
const LONGEST_TEXT = 2 ** 20;
const MOST = 10_000;
/** Printable ASCII without spaces at the ends. */
const WORDS = /^[!-~](?:[ -~]{0,198}[!-~])?$/;

/** Limits that decide how fast a kernel is, or whether it can run; those on buffers and bindings do not. */
const LIMITS: readonly LimitName[] = limitNames.filter((name) => name.startsWith('maxCompute'));

/**
 * Entries as choices: sorted by name and frozen, so that equal choices have equal text.
 * @throws LimnError `gpu/choices` for names or values that are not short printable ASCII
 */
export function kernelChoices(entries: Readonly<Record<string, string>>): KernelChoices {
  const all = Object.entries(entries);
  if (all.length > MOST) throw malformed(`${all.length} choices are more than ${MOST}`);
  for (const [name, value] of all)
    for (const word of [name, value])
      if (typeof word !== 'string' || !WORDS.test(word))
        throw malformed(`'${name}' and its choice must be printable ASCII of at most 200 characters`, { name, value });
  if (all.length === 0) return builtInChoices;
  return Object.freeze(Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/**
 * What choices hold for: adapter, driver (which the description names), features, limits of workgroups, and the text of every kernel. A
 * sha256 in hex.
 */
export function kernelKey(capabilities: Capabilities): Promise<string> {
  // Timestamps only measure, and speed is measured anew at every opening.
  const { flopsPerSecond: _, timestamps: __, limits, ...rest } = capabilities;
  const kernels = Object.values(shaders)
    .map(({ name, code, preludes, overrides }) => [name, code, preludes, overrides])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return sha256(JSON.stringify([[FORMAT, VERSION], rest, LIMITS.map((name) => limits[name]), kernels]));
}

/** Choices as text that `parseKernelChoices` takes back, for the device that `key` (from `kernelKey`) stands for. */
export function formatKernelChoices(choices: KernelChoices, key: string): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, key, choices }, undefined, 1)}\n`;
}

/**
 * The choices of a text, which must be for the device of `key`.
 * @throws LimnError `gpu/choices` for text that is damaged, of another version, or of another device, driver or set of kernels
 */
export function parseKernelChoices(text: string, key: string): KernelChoices {
  if (text.length > LONGEST_TEXT) throw malformed(`a text of ${text.length} characters is none`);
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw malformed(messageOf(cause), {}, cause);
  }
  if (!isRecord(found) || found['format'] !== FORMAT) throw malformed(`its format is not ${FORMAT}`);
  if (found['version'] !== VERSION) throw malformed(`version ${String(found['version'])} is unknown`);
  if (found['key'] !== key)
    throw malformed('they were measured on another device or driver, or for other kernels', {
      key,
      found: found['key'],
    });
  if (!isRecord(found['choices'])) throw malformed('the choices are missing');
  return kernelChoices(found['choices'] as Record<string, string>);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(reason: string, details: Record<string, unknown> = {}, cause?: unknown): LimnError {
  return new LimnError('gpu/choices', `kernel choices cannot be taken: ${reason}`, {
    details: { reason, ...details },
    hint: 'Measure anew (limn tune), or do without (LIMN_KERNELS=built-in).',
    ...(cause === undefined ? {} : { cause }),
  });
}
