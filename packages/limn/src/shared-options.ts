// Options that every command has, and the parsers of option values: each refuses with a usage error that names the option.
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import type { Command } from 'commander';

export interface SharedOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function withSharedOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON object on stdout and nothing else there')
    .option('--quiet', 'print nothing but errors');
}

/** An integer of at least `least`. */
export function integerOption(name: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new LimnError('usage/bad-number', `${name} ${text}: expected a whole number of at least ${least}`, {
      details: { option: name, given: text },
      hint: `for example ${name} ${Math.max(least, 5)}`,
    });
  };
}

/** A number above zero; `hint` says what to do instead. */
export function numberOption(name: string, hint = `for example ${name} 0.001`): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
    throw new LimnError('usage/bad-number', `${name} ${text}: expected a number above zero`, {
      details: { option: name, given: text },
      hint,
    });
  };
}

/** A part of a whole, 0…1. */
export function partOption(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= 0 && value <= 1) return value;
    throw new LimnError('usage/bad-number', `${name} ${text}: expected a part of a whole, 0 to 1`, {
      details: { option: name, given: text },
      hint: `for example ${name} 0.1`,
    });
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes, with or without a unit: 800MB, 1.5GiB. */
export function bytesOption(name: string): (text: string) => number {
  return (text) => {
    const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text.trim()) ?? [];
    const value = Math.floor(Number(number) * (BYTE_UNITS[unit.toUpperCase() || 'B'] ?? Number.NaN));
    if (number !== '' && Number.isSafeInteger(value) && value > 0) return value;
    throw new LimnError('usage/bad-size', `${name} ${text}: expected a number of bytes, or one with a unit`, {
      details: { option: name, given: text },
      hint: `for example ${name} 2GiB; units: B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024)`,
    });
  };
}

/** One part of several, as `--shard 2/5`; `index` counts from 0. */
export interface PartOf {
  readonly index: number;
  readonly of: number;
}

/** `i/n` with 1 ≤ i ≤ n. */
export function partOfOption(text: string): PartOf {
  const [, index = 0, of = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index >= 1 && index <= of) return { index: index - 1, of };
  throw new LimnError('usage/shard', `--shard ${text}: expected i/n, part i of n, with i from 1 to n`, {
    details: { option: '--shard', given: text },
    hint: 'for example --shard 1/4',
  });
}

/** One of `names`; a misspelt one is answered with the name that it begins, or with the nearest. `what` is the singular noun, e.g. `metric`. */
export function nameOption<Name extends string>(
  option: string,
  what: string,
  names: readonly Name[],
): (text: string) => Name {
  return (text) => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    throw new LimnError(`usage/unknown-${what}`, `${option} ${text}: there is no ${what} of that name`, {
      details: { option, given: text, known: [...names] },
      hint: `did you mean ${nearest(text, names)}? known: ${names.join(', ')}`,
    });
  };
}

/** Token ids separated by commas. Whether they are in the vocabulary is for the model to say. */
export function tokenListOption(text: string): number[] {
  const ids = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  if (ids.every((id) => Number.isSafeInteger(id))) return ids;
  throw new LimnError('usage/bad-tokens', `--tokens ${text}: expected token ids separated by commas`, {
    details: { option: '--tokens', given: text },
    hint: 'for example --tokens 1,2,3',
  });
}
