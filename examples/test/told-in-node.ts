// What the browser's worker tells, from the same code in Node.
import { loadGpt2 } from '@limn/gpt2';
import { openModel } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { runWithCache } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { afterSixLines } from '../browser/after-six-lines.js';
import type { Told } from '../browser/told.js';

export async function toldInNode(): Promise<Told[]> {
  const told: Told[] = [];
  const gpu = await openNodeGpu();
  const { model, tokenizer } = await loadGpt2(gpu, await openModel(modelFolder()));
  const { ids } = tokenizer!.encode('question : what is the capital of Cuba ? answer :', { prependBos: true });
  const { logits, cache } = await runWithCache(model, ids, { names: 'pattern', logits: 'last' });
  await afterSixLines({ model, tokenizer: tokenizer! }, { logits, cache }, (each) => void told.push(each));
  model.dispose();
  gpu.dispose();
  return told;
}
