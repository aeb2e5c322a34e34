// `limn verify`: measures published figures on the weights themselves and says pass or fail of each; without weights or data, NOT VERIFIED.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { notVerified, orNotVerified } from '../not-verified.js';
import { filePairs, type PairSets } from '../pairs-source.js';
import { verifyGpt2 } from '../published-gpt2.js';
import { nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { describeFigures, type VerifiedFigure } from '../verified-figure.js';
import { verifyGpt2Transcoders } from './verify-transcoders.js';

const TARGETS = ['gpt2', 'gpt2-transcoders'] as const;
type Target = (typeof TARGETS)[number];

interface VerifyOptions extends SharedOptions {
  readonly model?: string;
  readonly data?: string;
  readonly transcoders?: string;
}

/** What failing figures hold for. */
const HOLD_FOR: Readonly<Record<Target, string>> = {
  gpt2: 'they hold for GPT-2 small and all 1,000 rows of greater_than_eap_ig.csv; sha256 and counts above say what was measured',
  'gpt2-transcoders': 'they hold for GPT-2 small and the transcoders that were published with the paper',
};

export function addVerifyCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('verify'))
    .description('measure published figures on the weights themselves, and say pass or fail of each')
    .argument('<target>', `what to verify: ${TARGETS.join(', ')}`, nameOption('verify', 'target', TARGETS))
    .option('--model <name>', 'the weights: a Hugging Face folder of GPT-2 small')
    .option(
      '--data <file>',
      'of gpt2: the pairs of the published figures: greater_than_eap_ig.csv, 1,000 rows of clean,corrupted,label',
    )
    .option('--transcoders <dir>', 'of gpt2-transcoders: the .pt files that were published with the paper')
    .action((target: Target, options: VerifyOptions) => verify(target, options, context));
}

async function verify(target: Target, options: VerifyOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  expectOptions(target, options);
  const { figures, result: of } =
    target === 'gpt2' ? await verifyEap(options, context) : await verifyGpt2Transcoders(options, context);
  for (const line of describeFigures(figures)) console.say(line);
  for (const { what, why } of (of['notChecked'] ?? []) as { what: string; why: string }[])
    console.say(`not checked  ${what}: ${why}`);
  const failed = figures.filter(({ pass }) => !pass);
  const result = { command: 'verify', target, ...of, figures };
  if (failed.length > 0)
    throw new LimnError('verify/failed', `${failed.length} of ${figures.length} figures differ from those published`, {
      details: { result },
      hint: HOLD_FOR[target],
    });
  console.result({ ok: true, ...result });
}

/** @throws LimnError `usage/verify-option` for the other target's option */
function expectOptions(target: Target, { data, transcoders }: VerifyOptions): void {
  const odd = target === 'gpt2' ? transcoders && '--transcoders' : data && '--data';
  if (odd) throw new LimnError('usage/verify-option', `${odd} is not of \`limn verify ${target}\``);
}

async function verifyEap(
  { model: name, data }: VerifyOptions,
  context: CommandContext,
): Promise<{ readonly figures: readonly VerifiedFigure[]; readonly result: Readonly<Record<string, unknown>> }> {
  const { console, signal } = context;
  if (name === undefined) throw notVerified('no weights were given', '--model DIR with the weights of GPT-2 small');
  if (data === undefined) throw notVerified('no pairs were given', '--data greater_than_eap_ig.csv');
  using device = await openDevice(context);
  using model = await orNotVerified(openGivenModel(device.gpu, name, {}, context));
  const { evaluation } = await orNotVerified(pairsFor(model, data));
  const figures = await verifyGpt2(model.hooked, evaluation, { signal, onProgress: console.progress });
  return { figures, result: { model: model.name, weightsSha256: model.hooked.info.fingerprint } };
}

const pairsFor = ({ hooked, tokenizer }: OpenModel, file: string): Promise<PairSets> =>
  filePairs({ file, info: hooked.info, tokenizer, bos: true });
