// Six lines: a model is loaded, a run keeps what its heads look at, and the five likeliest next words are printed.
import { loadGpt2 } from '@limn/gpt2';
import { openModel } from '@limn/gpt2/node';
import { openNodeGpu as openGpu } from '@limn/gpu/node';
import { runWithCache, topTokens } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';

const gpu = await openGpu();
const { model, tokenizer } = await loadGpt2(gpu, await openModel(modelFolder()));
const { ids } = tokenizer!.encode('question : what is the capital of Cuba ? answer :', { prependBos: true });
const { logits, cache } = await runWithCache(model, ids, { names: 'pattern', logits: 'last' });
const top = topTokens(logits, 5).map(({ id }) => tokenizer!.tokenText(id));
console.log(top.join(', '), cache.names);

cache.dispose();
model.dispose();
gpu.dispose();
