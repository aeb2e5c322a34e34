// `--lora`: low-rank changes that a command's model runs with.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { isFolder } from '../diff-folder.js';

/** A LoRA as it was given. */
export interface GivenLora {
  /** FOLDER, FOLDER#NAME or PACK#ID. */
  readonly diff: string;
  readonly strength: number;
}

/** The option by which a command's model is changed. */
export interface LoraOptions {
  readonly lora?: readonly GivenLora[];
}

/** Adds it. */
export function withLora(command: Command): Command {
  return command.option(
    '--lora <folder[@strength]>',
    'run with this LoRA in the weights: a PEFT folder, FOLDER#NAME for one of several in it, or PACK#ID of `limn diff train`; times a strength (default: 1); may be given several times',
    (text, all: readonly GivenLora[] = []) => [...all, givenLora(text)],
  );
}

/** A folder whose name ends like a strength is itself. @throws LimnError `usage/lora-strength` */
export function givenLora(text: string): GivenLora {
  const at = text.lastIndexOf('@');
  if (at <= 0 || isFolder(text)) return { diff: text, strength: 1 };
  const strength = text.slice(at + 1).trim();
  if (strength !== '' && Number.isFinite(Number(strength)))
    return { diff: text.slice(0, at), strength: Number(strength) };
  if (!isFolder(text.slice(0, at))) return { diff: text, strength: 1 };
  throw new LimnError('usage/lora-strength', `--lora ${text}: ${shown(strength)} is no strength`, {
    details: { given: text },
    hint: `write ${text.slice(0, at)}@0.5; 1 is the LoRA as it is, −1 its opposite`,
  });
}

const shown = (text: string): string => (text === '' ? 'nothing behind @' : `'${text}'`);
