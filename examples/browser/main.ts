// The page's script: loads pocket, runs the prompt with one part scaled, and draws next-word probabilities beside the trained ones.
import { LimnError, openGpu } from '@limn/gpu';
import { fetchFiles, loadGpt2, type ModelTokenizer } from '@limn/gpt2';
import { scale, tokenBatch, type HookName, type HookedModel, type Intervention, type TokenBatch } from '@limn/hooks';
import { type Tensor, persistent, readFloats } from '@limn/tensor';
import { drawGuesses, type Guess } from './guesses.js';

const SAMPLES = [
  'after Clara and Olga went to the store , Clara handed a letter to',
  'the siege lasted from the year 12 16 to the year 12',
  'the nanny was fired because',
];
/** Words shown: those likeliest now, and those that were likeliest as trained. */
const SHOWN = 8;

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const prompt = element<HTMLInputElement>('prompt');
const part = element<HTMLSelectElement>('part');
const strength = element<HTMLInputElement>('strength');
const status = element('status');

interface Loaded {
  readonly model: HookedModel;
  readonly tokenizer: ModelTokenizer;
}

try {
  await start();
} catch (error) {
  explain(error);
}

async function start(): Promise<void> {
  const gpu = await openGpu();
  const files = fetchFiles(new URL('model/', document.baseURI), ['config.json', 'model.safetensors', 'tokenizer.json']);
  const { model, tokenizer } = await loadGpt2(gpu, files);
  if (tokenizer === undefined) throw new LimnError('tokenizer/damaged', 'the model folder has no tokenizer');
  void gpu.lost.then(explain);
  listParts(model);
  listSamples();
  const redraw = redrawer({ model, tokenizer });
  for (const input of [prompt, part, strength]) {
    input.disabled = false;
    input.addEventListener('input', redraw);
  }
  prompt.value = SAMPLES[0] ?? '';
  await redraw();
  document.documentElement.dataset['ready'] = 'true';
}

function listParts({ info }: HookedModel): void {
  for (let layer = 0; layer < info.layers; layer++) {
    for (let head = 0; head < info.heads; head++)
      part.add(new Option(`layer ${layer}, attention head ${head}`, `${layer} ${head}`));
    part.add(new Option(`layer ${layer}, MLP`, `${layer} mlp`));
  }
}

function listSamples(): void {
  const links = SAMPLES.map((text, i) => {
    const link = document.createElement('a');
    link.href = '#prompt';
    link.textContent = ['whose gift?', 'a later year', 'he or she?'][i] ?? text;
    link.addEventListener('click', (event) => {
      event.preventDefault();
      prompt.value = text;
      prompt.dispatchEvent(new Event('input'));
    });
    return link;
  });
  element('samples').replaceChildren('Try: ', ...links.flatMap((link, i) => (i === 0 ? [link] : [' · ', link])));
}

/** Runs at most one forward pass at a time; input that arrives meanwhile is drawn once, afterwards. */
function redrawer(loaded: Loaded): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  const loop = async (): Promise<void> => {
    do {
      again = false;
      await draw(loaded).catch(explain);
    } while (again);
    running = undefined;
  };
  return () => {
    if (running === undefined) running = loop();
    else again = true;
    return running;
  };
}

async function draw({ model, tokenizer }: Loaded): Promise<void> {
  const factor = Number(strength.value);
  element('strength-value').textContent = `${factor.toFixed(2)} ×`;
  const { ids } = tokenizer.encode(prompt.value, { prependBos: true, unknown: 'allow' });
  const tokens = tokenBatch([ids], model.info);
  element('tokens').replaceChildren(...ids.map((id) => tokenItem(tokenizer.tokenText(id))));

  const started = performance.now();
  const [before, after] = await logitsOf(model, tokens, factor);
  drawGuesses(element('guesses'), guesses(before, after, tokenizer));
  const { description, vendor, architecture } = model.gpu.capabilities.adapter;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'your GPU';
  const unknown = unknownWords(prompt.value, tokenizer);
  status.className = '';
  status.textContent =
    `Two passes in ${(performance.now() - started).toFixed(0)} ms on ${name}.` +
    (unknown.length > 0 ? ` Pocket knows some 440 words; it has never seen “${unknown.join('”, “')}”.` : '');
}

/** Logits of the last token as trained, and with the chosen part scaled. Whether that works or not, nothing stays on the GPU. */
async function logitsOf(model: HookedModel, tokens: TokenBatch, factor: number): Promise<[Float32Array, Float32Array]> {
  const step = model.gpu.step();
  let factors: Tensor | undefined;
  try {
    const [edit, made] = scaling(model, factor);
    factors = made;
    const trained = model.run(step, { tokens }, { logits: 'last' }).logits;
    const now = model.run(step, { tokens }, { logits: 'last', interventions: [edit] }).logits;
    return await Promise.all([readFloats(step, trained), readFloats(step, now)]);
  } finally {
    step.dispose();
    factors?.dispose();
  }
}

/** Scales an MLP's output, or one head's row of hook_z [B, T, H, K]; the factors of the latter live on the GPU until the caller disposes them. */
function scaling({ gpu, info }: HookedModel, factor: number): readonly [Intervention, Tensor | undefined] {
  const [layer = '0', which = 'mlp'] = part.value.split(' ');
  if (which === 'mlp') return [scale(`blocks.${Number(layer)}.hook_mlp_out` as HookName, factor), undefined];
  const perHead = new Float32Array(info.heads * info.headWidth).fill(1);
  perHead.fill(factor, Number(which) * info.headWidth, (Number(which) + 1) * info.headWidth);
  const factors = persistent(gpu, [info.heads, info.headWidth], perHead, { label: 'factors' });
  return [scale(`blocks.${Number(layer)}.attn.hook_z` as HookName, factors), factors];
}

function guesses(before: Float32Array, after: Float32Array, tokenizer: ModelTokenizer): Guess[] {
  const p = [softmax(before), softmax(after)] as const;
  const order = Array.from(after.keys()).sort((a, b) => Math.max(p[0][b]!, p[1][b]!) - Math.max(p[0][a]!, p[1][a]!));
  return order.slice(0, SHOWN).map((id) => ({ word: tokenizer.tokenText(id), before: p[0][id]!, now: p[1][id]! }));
}

function softmax(logits: Float32Array): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = logits.map((logit) => Math.exp(logit - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Words of the prompt that the tokenizer turns into the end-of-text token. */
function unknownWords(text: string, tokenizer: ModelTokenizer): string[] {
  const words = text.split(/\s+/).filter(Boolean);
  return words.filter(
    (word) => tokenizer.encode(word, { prependBos: false, unknown: 'allow' }).ids[0] === tokenizer.bosId,
  );
}

function tokenItem(text: string): HTMLLIElement {
  const item = document.createElement('li');
  item.textContent = text;
  return item;
}

/** What went wrong and what to do, in words. */
function explain(error: unknown): void {
  status.className = 'problem';
  if (error instanceof LimnError && (error.code === 'gpu/no-webgpu' || error.code === 'gpu/no-adapter')) {
    status.textContent =
      'This browser offers no WebGPU here, so the model cannot run. Recent Chrome, Edge, Safari and Firefox have it; ' +
      'the page must be served over https or from localhost.';
  } else if (error instanceof LimnError) {
    status.textContent = [error.message, error.hint].filter(Boolean).join('. ');
  } else {
    status.textContent = `The page could not go on: ${error instanceof Error ? error.message : String(error)}`;
  }
  // Before the model is loaded there is nothing to turn; afterwards the last picture stays.
  if (prompt.disabled) document.querySelectorAll('section').forEach((section) => (section.hidden = true));
  document.documentElement.dataset['ready'] = error instanceof LimnError ? error.code : 'error';
}
