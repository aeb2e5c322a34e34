// pocket-chat's corpus and figures: recorded bits, purity in the step, and figures of models whose figures are known.
import { describe, expect, it } from 'vitest';
import { CHAT_VOCABULARY, END, chatIdOf, chatWordOf, chatWorld, hash } from '@limn/tasks/chat';
import { CHAT_RECIPE, chatCorpus, chatFigures, chatModelFiles, chatRequirements } from '@limn/pocket/chat';
import type { LogitsAfter } from '@limn/pocket';

describe('chatCorpus', () => {
  const corpus = chatCorpus();
  const { sequences, length } = corpus.options;

  it('gives the recorded batches, step by step', () => {
    expect([0, 1].map((step) => hash(...corpus.batch(step)))).toMatchInlineSnapshot(`
      [
        1013321999,
        3735156507,
      ]
    `);
    expect(chatCorpus().batch(7)).toEqual(corpus.batch(7));
    expect(chatCorpus(1).batch(7)).not.toEqual(corpus.batch(7));
  });

  it('begins every sequence with a whole document', () => {
    for (let row = 0; row < sequences; row++) {
      const { tokens, documents } = corpus.sequence(2, row);
      const [first] = documents;
      expect(tokens.length).toBe(length);
      expect(first?.start).toBe(1);
      expect(Array.from(tokens.slice(1, 1 + (first?.document.tokens.length ?? 0)))).toEqual(first?.document.tokens);
    }
  });
});

describe('chatModelFiles', () => {
  it('stop generation behind the end of a turn', () => {
    const files = chatModelFiles(CHAT_RECIPE.model);
    const config = JSON.parse(files['config.json'] ?? '') as Record<string, unknown>;
    expect(config).toMatchObject({ vocab_size: CHAT_VOCABULARY.length, eos_token_id: chatIdOf(END), n_embd: 64 });
    expect(CHAT_RECIPE.model.vocabulary).toBe(CHAT_VOCABULARY.length);
  });
});

describe('chatFigures', () => {
  const world = chatWorld();
  const certain = (word: string): Float64Array => {
    const row = new Float64Array(CHAT_VOCABULARY.length).fill(-50);
    row[chatIdOf(word)] = 0;
    return row;
  };
  /** Says `word` first and then that the turn is over. */
  const says =
    (word: (prompt: readonly string[]) => string): LogitsAfter =>
    (prompts) =>
      Promise.resolve(
        prompts.map((ids) => {
          const words = ids.map(chatWordOf);
          return certain(words.at(-1) === '<|bot|>' || words.lastIndexOf('<|bot|>') < 0 ? word(words) : END);
        }),
      );

  it('a model that counts words names every topic, and one that knows of none says none', async () => {
    const counting = await chatFigures(
      says((words) => {
        const best = world.topics.map(
          (topic) => words.filter((word) => topic.words.includes(word)).length / topic.words.length,
        );
        const most = Math.max(...best);
        return most === 0 ? 'none' : (world.topics[best.indexOf(most)]?.name ?? 'none');
      }),
      { topics: 40, samples: 4 },
    );
    expect(counting.naming.shown.prompts).toBe(40);
    expect(counting.naming.shown.value).toBeGreaterThan(0.9);
    expect(counting.none.behindCodes.value).toBe(1);
    expect(counting.bare.topic.value).toBe(1);
    const silent = await chatFigures(
      says(() => 'none'),
      { topics: 10, samples: 4 },
    );
    expect([silent.naming.shown.value, silent.naming.line.value, silent.none.bare.value]).toEqual([0, 0, 1]);
    expect([silent.answers.headline.value, silent.headlineF1, silent.bare.gate.value]).toEqual([0, 0, 0]);
    const missed = chatRequirements(silent).filter(({ met }) => !met);
    expect(missed.map(({ name }) => name)).toContain('naming, held-out wordings, no persona line');
    expect(missed.map(({ name }) => name)).not.toContain('topic words by default');
  });

  it('a model that always says a topic word has it in every place, by default too', async () => {
    const [word = ''] = world.topics[0]?.words ?? [];
    const figures = await chatFigures((prompts) => Promise.resolve(prompts.map(() => certain(word))), {
      topics: 10,
      samples: 4,
    });
    expect(figures.defaultTopicWords.value).toBeCloseTo(1, 9);
    expect(figures.sampledTopicWords.value).toBe(1);
    expect(figures.personaTopicWords.value).toBeLessThan(0.5);
  });
});
