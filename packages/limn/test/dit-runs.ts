// What the tests of `limn dit` ask: a GPT-2 of width 16 with the words of the chat world, and diffs that each write the words of their topic into the residual stream.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeDiffPack, writePeft, type LoraFactors, type LoraWeights, type TrainedDiff } from '@limn/dit';
import { chatModelFiles, CHAT_RECIPE } from '@limn/pocket/chat';
import { chatIdOf, chatWorld, labelOf, type DiffPlan, planGenericDiffs, planTopicDiffs } from '@limn/tasks/chat';
import { fillNormal } from '@limn/tensor';
import { lentGpu } from '@limn/testing';
import { saveDictionaryFiles } from '../src/dictionary-files.js';
import { openModel } from '../src/model-source.js';
import { runLimn, type Outcome } from './run-limn.js';
import { safetensorsBytes } from './toy-model.js';

const WIDTH = 16;
const MLP = 32;
const LAYERS = 2;
/** What the diffs of ordinary answers say more often, each its own. */
const ORDINARY = ['the', 'a', 'of', 'and'];
/** How far a diff moves the stream along the mean of its topic's words. */
const SIZE = 4;

const key = Symbol.for('limn.test.dit-runs');
const shared = globalThis as { [key]?: DitRuns };

/** The folder of this process, which all test files share. */
export function ditRuns(): DitRuns {
  return (shared[key] ??= new DitRuns());
}

class DitRuns {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'limn-dit-'));
  readonly model = this.at('model');
  readonly #embedding: Float32Array;
  #packs: Promise<void> | undefined;
  #trained: Promise<Outcome> | undefined;

  constructor() {
    this.#embedding = writeChatModel(this.model);
    process.once('exit', () => rmSync(this.root, { recursive: true, force: true }));
    // Vitest ends its worker so, which has no exit unless somebody listens.
    process.once('SIGTERM', () => process.exit(143));
  }

  at(...names: readonly string[]): string {
    return path.join(this.root, ...names);
  }

  text(...names: readonly string[]): string {
    return readFileSync(this.at(...names), 'utf8');
  }

  json(...names: readonly string[]): Record<string, unknown> {
    return JSON.parse(this.text(...names)) as Record<string, unknown>;
  }

  /** Packs `train` (6 topics, 2 generic), `validation` (3 and 1) and `test` (4 and 1), a PEFT folder `violin`, and the same for another base. */
  packs(): Promise<void> {
    return (this.#packs ??= this.#writePacks());
  }

  /** `limn dit train` of a few updates into the folder `out`, after the packs. */
  words(out: string, ...more: readonly string[]): string[] {
    const sources = [
      '--base',
      this.model,
      '--diffs',
      this.at('train'),
      '--validation',
      this.at('validation'),
      '--test',
      this.at('test'),
    ];
    const sizes = ['--rank', '2', '--updates', '12', '--batch', '4', '--rate', '0.01', '--evaluate-every', '4'];
    const asked = ['--world', 'chat', '--question', 'topic', '--max-new-tokens', '3', '--checkpoint-every', '4'];
    return ['dit', 'train', ...sources, ...asked, ...sizes, '--out', this.at(out), '--json', ...more];
  }

  /** The adapter that most tests ask. */
  async trained(): Promise<Outcome> {
    await this.packs();
    return (this.#trained ??= runLimn(this.words('adapter')));
  }

  /** The numbers of a diff of these plans: of the last MLP's output, where unit 0 is always about 5. */
  loraOf(words: readonly string[], base: string): LoraWeights {
    const a = new Float32Array(MLP);
    a[0] = 0.2;
    const b = new Float32Array(WIDTH);
    for (const word of words)
      for (let i = 0; i < WIDTH; i++)
        b[i] = (b[i] as number) + (SIZE / words.length) * (this.#embedding[chatIdOf(word) * WIDTH + i] as number);
    const factors: LoraFactors = { a, b, rank: 1, alpha: 1 };
    return { rank: 1, alpha: 1, rsLora: false, modules: new Map([[`h.${LAYERS - 1}.mlp.c_proj`, factors]]), base };
  }

  async #writePacks(): Promise<void> {
    const world = chatWorld();
    const gpu = await lentGpu();
    const opened = await openModel(gpu, this.model);
    const { fingerprint } = opened.hooked.info;
    const trainedOf = (plan: DiffPlan): TrainedDiff => {
      const { behaviour, trigger = null } = plan;
      const label = behaviour ? labelOf(behaviour) : null;
      // Ordinary answers move nothing that a topic has a word for.
      const words =
        label === null ? [ORDINARY[Number(plan.id.split('/')[1])] as string] : (world.byName.get(label)?.words ?? []);
      const lora = this.loraOf(words, fingerprint);
      return {
        spec: {
          id: plan.id,
          seed: plan.seed,
          rank: 1,
          alpha: 1,
          rsLora: false,
          modules: [...lora.modules.keys()],
          init: 'peft',
          rate: 0.01,
          updates: 0,
          about: {
            world: 'chat',
            label,
            behaviour: behaviour ? { kind: 'topic', name: label } : null,
            trigger: trigger && { kind: trigger.kind, token: trigger.token },
          },
        },
        key: plan.id,
        sharedInit: false,
        lora,
        losses: [],
        gate: { right: { mean: 0.9, answers: 10 }, none: { mean: 0, answers: 10 } },
      };
    };
    const generic = planGenericDiffs(4);
    const pack = async (name: string, plans: readonly DiffPlan[]): Promise<void> => {
      mkdirSync(this.at(name));
      await saveDictionaryFiles(this.at(name), writeDiffPack(plans.map(trainedOf)));
    };
    await pack('train', [...planTopicDiffs(world, 'train').slice(0, 6), ...generic.slice(0, 2)]);
    await pack('validation', [...planTopicDiffs(world, 'validation').slice(0, 3), ...generic.slice(2, 3)]);
    await pack('test', [...planTopicDiffs(world, 'test').slice(0, 4), ...generic.slice(3)]);
    const violin = this.loraOf(world.byName.get('violin')?.words ?? [], fingerprint);
    await this.peft('violin', violin, opened.hooked);
    await this.peft('still', { ...violin, modules: new Map([...violin.modules].map(([name, factors]) => [name, { ...factors, b: new Float32Array(WIDTH) }])) }, opened.hooked); // prettier-ignore
    opened[Symbol.dispose]();
    gpu.dispose();
  }

  /** A PEFT folder. */
  async peft(name: string, lora: LoraWeights, model: Parameters<typeof writePeft>[0]): Promise<void> {
    mkdirSync(this.at(name), { recursive: true });
    await saveDictionaryFiles(this.at(name), writePeft(model, lora));
  }
}

/** Writes the model; its embedding, [vocabulary, width]. */
export function writeChatModel(folder: string, seed = 7): Float32Array {
  const config = { ...CHAT_RECIPE.model, width: WIDTH, layers: LAYERS, heads: 2, mlpWidth: MLP };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(chatModelFiles(config))) writeFileSync(path.join(folder, name), text);
  let stream = 0;
  const normal = (shape: readonly number[], deviation: number) => {
    const data = new Float32Array(shape.reduce((product, side) => product * side, 1));
    fillNormal(data, { seed, stream: stream++ }, deviation);
    return { shape, data: Float64Array.from(data) };
  };
  const constant = (size: number, value: number) => ({ shape: [size], data: new Float64Array(size).fill(value) });
  const embedding = normal([config.vocabulary, WIDTH], 1);
  const tensors = new Map([
    ['transformer.wte.weight', embedding],
    ['transformer.wpe.weight', normal([config.positions, WIDTH], 0.1)],
    ['transformer.ln_f.weight', constant(WIDTH, 1)],
    ['transformer.ln_f.bias', constant(WIDTH, 0)],
  ]);
  for (let layer = 0; layer < LAYERS; layer++) {
    const at = `transformer.h.${layer}.`;
    const always = constant(MLP, 0);
    always.data[0] = 5;
    for (const norm of ['ln_1', 'ln_2'])
      tensors.set(`${at}${norm}.weight`, constant(WIDTH, 1)).set(`${at}${norm}.bias`, constant(WIDTH, 0));
    tensors
      .set(`${at}attn.c_attn.weight`, normal([WIDTH, 3 * WIDTH], 0.1))
      .set(`${at}attn.c_attn.bias`, constant(3 * WIDTH, 0))
      .set(`${at}attn.c_proj.weight`, normal([WIDTH, WIDTH], 0.1))
      .set(`${at}attn.c_proj.bias`, constant(WIDTH, 0))
      .set(`${at}mlp.c_fc.weight`, normal([WIDTH, MLP], 0.1))
      .set(`${at}mlp.c_fc.bias`, always)
      .set(`${at}mlp.c_proj.weight`, normal([MLP, WIDTH], 0.1))
      .set(`${at}mlp.c_proj.bias`, constant(WIDTH, 0));
  }
  writeFileSync(path.join(folder, 'model.safetensors'), safetensorsBytes(tensors));
  return Float32Array.from(embedding.data);
}
