// `limn steer apply`: a learnt steering on a prompt: what comes next at several strengths, or a text that goes on under it.
import { LimnError } from '@limn/gpu';
import { generateStream, tokenBatch, topTokens, type Phase } from '@limn/hooks';
import { readSteering, Steering } from '@limn/steering';
import { readFloats } from '@limn/tensor';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { expectRoom } from '../generation-request.js';
import type { OpenModel } from '../model-source.js';
import { expectPrompt, promptIds, type PromptOptions } from '../prompt-ids.js';
import {
  integerOption,
  nameOption,
  tokenListOption,
  withSharedOptions,
  type SharedOptions,
} from '../shared-options.js';
import { steeringFileText } from '../steering-file-text.js';
import { withReplacement, type ReplacementOptions } from '../replaced-model.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

const PHASES = ['prompt', 'generated', 'both'] as const;

interface SteerApplyOptions extends SharedOptions, WeightOptions, LoraOptions, ReplacementOptions, PromptOptions {
  readonly model: string;
  readonly steering: string;
  readonly strength: readonly number[];
  readonly roles?: readonly (string | undefined)[];
  readonly phase: (typeof PHASES)[number];
  readonly maxNewTokens?: number;
  readonly top: number;
}

export function addSteerApplyCommand(steer: Command, context: CommandContext): void {
  withReplacement(withLora(withWeightOptions(withSharedOptions(steer.command('apply')))))
    .description('what a model says under a steering: the likeliest next tokens, or with --max-new-tokens a text')
    .requiredOption('--model <name>', 'the model that it was learnt on')
    .requiredOption('--steering <file>', 'steering.json of `limn steer train`')
    .option('--tokens <ids>', 'token ids separated by commas', tokenListOption)
    .option('--prompt <text>', 'text; one BOS is put in front')
    .option('--no-bos', 'put no BOS in front of --prompt')
    .option(
      '--strength <β,β,…>',
      'strengths: +1 favours the correct answers, −1 the wrong ones',
      strengthsOption,
      [-1, 0, 1],
    )
    .option(
      '--roles <names>',
      'for values by role: a name per token separated by commas, nothing where a token has none',
      rolesOption,
    )
    .option(
      '--phase <name>',
      'of a text: steer the prompt, generated tokens, or both',
      nameOption('--phase', 'phase', PHASES),
      'both',
    )
    .option('--max-new-tokens <n>', 'go on with so many tokens', integerOption('--max-new-tokens', 1))
    .option('--top <n>', 'likeliest next tokens', integerOption('--top', 1), 5)
    .action((options: SteerApplyOptions) => run(options, context));
}

function strengthsOption(text: string): number[] {
  const strengths = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (strengths.every(Number.isFinite)) return strengths;
  throw new LimnError('usage/bad-number', `--strength ${text}: expected numbers separated by commas`, {
    details: { option: '--strength', given: text },
    hint: 'for example --strength=-1,0,1',
  });
}

const rolesOption = (text: string): (string | undefined)[] =>
  text.split(',').map((name) => (name.trim() === '' ? undefined : name.trim()));

async function run(options: SteerApplyOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  expectPrompt(options);
  const { values, provenance } = readSteering(await steeringFileText(options.steering));
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  using steering = new Steering(model.hooked, values.spec, { values: [values] });
  const prompt = promptIds(options, model);
  const told = { model, steering, prompt, options, context };
  const results = options.maxNewTokens === undefined ? await nextTokens(told) : await texts(told);
  console.result({
    ok: true,
    command: 'steer apply',
    steering: options.steering,
    method: values.spec.method,
    learntOn: provenance.data ?? null,
    ...(model.loras === undefined ? {} : { loras: model.loras }),
    prompt,
    results,
  });
}

interface Told {
  readonly model: OpenModel;
  readonly steering: Steering;
  readonly prompt: readonly number[];
  readonly options: SteerApplyOptions;
  readonly context: CommandContext;
}

/** All strengths in one batch. */
async function nextTokens({ model, steering, prompt, options, context: { console } }: Told) {
  const { strength, top, roles } = options;
  const rows = strength.map(() => prompt);
  using step = model.hooked.gpu.step({ label: 'steer apply' });
  const { logits } = model.hooked.run(
    step,
    { tokens: tokenBatch(rows, model.hooked.info) },
    { interventions: steering.interventions({ strength, roles: rows.map(() => roles) }), logits: 'last' },
  );
  const values = await readFloats(step, logits);
  const V = model.hooked.info.vocabulary;
  return strength.map((beta, i) => {
    const likeliest = topTokens(values.subarray(i * V, (i + 1) * V), Math.min(top, V)).map(({ id, probability }) => ({
      id,
      token: model.show(id),
      probability,
    }));
    console.say(
      `β ${beta >= 0 ? ' ' : ''}${beta}: ${likeliest.map(({ token, probability }) => `${JSON.stringify(token)} ${probability.toFixed(3)}`).join('  ')}`,
    );
    return { strength: beta, top: likeliest };
  });
}

async function texts({ model, steering, prompt, options, context: { console, signal } }: Told) {
  const { tokenizer, hooked } = model;
  const maxNewTokens = options.maxNewTokens as number;
  expectRoom(maxNewTokens, prompt.length, hooked.info.maxPositions);
  const phase: { phase?: Phase } = options.phase === 'both' ? {} : { phase: options.phase };
  const results: { strength: number; tokens: number[]; text?: string }[] = [];
  for (const strength of options.strength) {
    const interventions = steering.interventions({ strength, roles: [options.roles], ...phase });
    const tokens: number[] = [];
    for await (const token of generateStream(hooked, [prompt], { maxNewTokens, interventions, signal }))
      tokens.push(token.id);
    const text = tokenizer?.decode(tokens);
    console.say(`β ${strength >= 0 ? ' ' : ''}${strength}: ${text ?? tokens.join(',')}`);
    results.push({ strength, tokens, ...(text === undefined ? {} : { text }) });
  }
  return results;
}
