// `limn run`: one forward pass; prints what comes next, and writes logits and captured hooks as safetensors.
import { writeSafetensors, type WritableTensor } from '@limn/gpt2';
import { selectSites, tokenBatch, type HookName } from '@limn/hooks';
import { read } from '@limn/tensor';
import { logSoftmax } from '@limn/tasks';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { refuseForeignFile, writeFileWhole } from '../output.js';
import { expectPrompt, promptBos, promptIds, type PromptOptions } from '../prompt-ids.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, tokenListOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withReplacement, type ReplacementOptions } from '../replaced-model.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

/** In the metadata of every file that this command writes; how it knows its own. */
const FORMAT = 'limn.activations';

interface RunOptions extends SharedOptions, WeightOptions, LoraOptions, ReplacementOptions, PromptOptions {
  readonly model: string;
  readonly capture?: readonly string[];
  readonly top: number;
  readonly out?: string;
}

export function addRunCommand(program: Command, context: CommandContext): void {
  withReplacement(withLora(withWeightOptions(withSharedOptions(program.command('run')))))
    .description('run a model once: print the likeliest next tokens, write logits and captured hooks')
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .option('--tokens <ids>', 'token ids separated by commas', tokenListOption)
    .option('--prompt <text>', 'text; one BOS is put in front')
    .option('--no-bos', 'put no BOS in front of --prompt')
    .option(
      '--capture <hook>',
      'a hook site to write, e.g. blocks.0.attn.hook_z; a short name means every layer (pattern, resid_post), * any characters; may be given several times',
      (name, all: readonly string[] = []) => [...all, name],
    )
    .option('--top <n>', 'how many next tokens to print', integerOption('--top', 1), 5)
    .option('--out <file>', 'safetensors file for the logits and the captured hooks')
    .action((options: RunOptions) => run(options, context));
}

async function run(options: RunOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectPrompt(options);
  if (options.out !== undefined) refuseForeignFile(options.out, isActivations);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  const { info } = model.hooked;
  const capture = selectSites(options.capture ?? [], info);
  const ids = promptIds(options, model);
  const tokens = tokenBatch([ids], info);

  using step = device.gpu.step({ label: 'limn run', signal });
  const forward = model.hooked.run(step, { tokens }, { capture, logits: 'all' });
  const wanted: [string, ReturnType<typeof forward.at>][] = capture.map((name: HookName) => [name, forward.at(name)]);
  const [logitValues, ...values] = (await Promise.all(
    [forward.logits, ...wanted.map(([, tensor]) => tensor)].map((tensor) => read(step, tensor)),
  )) as Float32Array[];

  const tensors = new Map<string, WritableTensor>();
  tensors.set('logits', { shape: [1, ids.length, info.vocabulary], data: logitValues as Float32Array });
  wanted.forEach(([name, tensor], i) => tensors.set(name, { shape: tensor.shape, data: values[i] as Float32Array }));
  const next = likeliest((logitValues as Float32Array).subarray((ids.length - 1) * info.vocabulary), options.top);
  const provenance = provenanceOf(device.gpu, model, context, {
    options: { tokens: [...ids], capture },
    seed: null,
    prompts: [ids],
    prependBos: promptBos(options),
  });
  if (options.out !== undefined) {
    writeFileWhole(options.out, writeSafetensors(tensors, { format: FORMAT, provenance: JSON.stringify(provenance) }));
  }

  console.say(`after ${ids.map((id) => JSON.stringify(model.show(id))).join(' ')}`);
  for (const { id, probability } of next) {
    console.say(`  ${(100 * probability).toFixed(1).padStart(5)} %  ${JSON.stringify(model.show(id))}  (id ${id})`);
  }
  if (options.out !== undefined) console.say(`written to ${options.out}: ${[...tensors.keys()].join(', ')}`);
  console.result({
    ok: true,
    command: 'run',
    tokens: ids,
    next: next.map(({ id, probability }) => ({ id, token: model.show(id), probability })),
    ...(options.out === undefined
      ? {}
      : { out: options.out, tensors: Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape])) }),
    provenance,
  });
}

/** The `count` likeliest ids of one row of logits, with their probabilities. */
function likeliest(row: Float32Array, count: number): { readonly id: number; readonly probability: number }[] {
  const logProbabilities = logSoftmax(row);
  return Array.from(row.keys())
    .sort((a, b) => (logProbabilities[b] ?? 0) - (logProbabilities[a] ?? 0) || a - b)
    .slice(0, count)
    .map((id) => ({ id, probability: Math.exp(logProbabilities[id] ?? Number.NEGATIVE_INFINITY) }));
}

function isActivations(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(8, 200)).toString('latin1').startsWith(`{"__metadata__":{"format":"${FORMAT}"`);
}
