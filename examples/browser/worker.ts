// The worker of worker.html: the README's six lines as they stand there, and what follows them; the page is told what comes out.
import { loadGpt2, openModel } from '@limn/gpt2';
import { LimnError, openGpu } from '@limn/gpu';
import { runWithCache, topTokens } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { afterSixLines } from './after-six-lines.js';
import type { Told } from './told.js';

const tell = (told: Told): void => postMessage(told);

try {
  await work();
} catch (error) {
  const { code, message } = error instanceof LimnError ? error : { code: 'error', message: String(error) };
  tell({ kind: 'failed', code, message });
}

async function work(): Promise<void> {
  const started = performance.now();
  const gpu = await openGpu();
  const { model, tokenizer } = await loadGpt2(gpu, await openModel(modelFolder()));
  const { ids } = tokenizer!.encode('question : what is the capital of Cuba ? answer :', { prependBos: true });
  const { logits, cache } = await runWithCache(model, ids, { names: 'pattern', logits: 'last' });
  const top = topTokens(logits, 5).map(({ id }) => tokenizer!.tokenText(id));
  console.log(top.join(', '), cache.names);

  await afterSixLines({ model, tokenizer: tokenizer! }, { logits, cache }, tell);
  model.dispose();
  gpu.dispose();
  tell({ kind: 'done', milliseconds: performance.now() - started });
}
