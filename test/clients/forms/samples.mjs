// Conversations as the libraries themselves make them, with models that always say the
// same. Prints a line for each: the name of the form, a tab, and the messages as JSON.
import { convertToModelMessages, readUIMessageStream, simulateReadableStream, stepCountIs, streamText, tool } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { Agent, Runner, Usage, setTracingDisabled, tool as agentTool } from '@openai/agents';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage, mapChatMessagesToStoredMessages } from '@langchain/core/messages';
import { createMemory } from 'llamaindex';
import { z } from 'zod';

const print = (name, messages) => console.log(`${name}\t${JSON.stringify(messages)}`);

// What a model says: once with a call of a tool, and then the answer.
const inSteps = (steps) => () => steps.shift();
const says = (id, text) => [{ type: 'text-start', id }, { type: 'text-delta', id, delta: text }, { type: 'text-end', id }];
const usage = { inputTokens: { total: 3 }, outputTokens: { total: 10 } };
const finish = (reason) => ({ type: 'finish', finishReason: { unified: reason, raw: reason }, usage });
const streamed = (chunks) => ({ stream: simulateReadableStream({ chunkDelayInMs: null, initialDelayInMs: null, chunks: [{ type: 'stream-start', warnings: [] }, ...chunks] }) });

async function uiMessages() {
  const next = inSteps([
    [{ type: 'reasoning-start', id: 'r' }, { type: 'reasoning-delta', id: 'r', delta: 'Look it up.' }, { type: 'reasoning-end', id: 'r' },
      ...says('t', 'Let me see. '), { type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: '{"city":"Oslo"}' }, finish('tool-calls')],
    [{ type: 'source', sourceType: 'url', id: 's1', url: 'http://example.com/', title: 'Weather' }, ...says('t', 'It snows.'), finish('stop')],
  ]);
  const question = { id: 'q1', role: 'user', parts: [{ type: 'text', text: 'Weather in Oslo?' }, { type: 'file', mediaType: 'image/png', filename: 'sky.png', url: 'data:image/png;base64,AAAA' }] };
  const result = streamText({
    model: new MockLanguageModelV3({ doStream: async () => streamed(next()) }),
    messages: await convertToModelMessages([question]),
    stopWhen: stepCountIs(3),
    tools: { weather: tool({ inputSchema: z.object({ city: z.string() }), execute: async () => ({ sky: 'snow', degrees: -3 }) }) },
  });
  const stream = result.toUIMessageStream({
    sendSources: true,
    generateMessageId: () => 'a1',
    messageMetadata: ({ part }) => (part.type === 'finish' ? { model: 'mock', finish_reason: part.finishReason } : undefined),
  });
  let answer;
  for await (const message of readUIMessageStream({ stream })) answer = message;
  return [question, JSON.parse(JSON.stringify(answer))];
}

async function agentItems() {
  const next = inSteps([
    [{ type: 'reasoning', id: 'rs_1', content: [{ type: 'input_text', text: 'Multiply.' }] },
      { type: 'function_call', id: 'fc_1', callId: 'c1', name: 'multiply', status: 'completed', arguments: '{"a":6,"b":7}' }],
    [{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'It is 42.' }] }],
  ]);
  const model = {
    getResponse: async () => ({ usage: new Usage({ requests: 1, inputTokens: 1, outputTokens: 1, totalTokens: 2 }), output: next() }),
  };
  const multiply = agentTool({
    name: 'multiply', description: 'Multiplies.', parameters: z.object({ a: z.number(), b: z.number() }), execute: async ({ a, b }) => String(a * b),
  });
  setTracingDisabled(true);
  return (await new Runner().run(new Agent({ name: 'a', model, tools: [multiply] }), 'How much is 6 times 7?')).history;
}

function storedMessages() {
  return mapChatMessagesToStoredMessages([
    new SystemMessage('Be brief.'),
    new HumanMessage({ content: [{ type: 'text', text: 'Weather in Oslo?' }] }),
    new AIMessage({ content: '', tool_calls: [{ id: 'c1', name: 'weather', args: { city: 'Oslo' } }] }),
    new ToolMessage({ content: 'snow', tool_call_id: 'c1', name: 'weather' }),
    new AIMessage('It snows.'),
  ]);
}

async function llamaMessages() {
  const memory = createMemory([], {});
  await memory.add({ role: 'user', content: 'Weather in Oslo?' });
  await memory.add({ role: 'assistant', content: '', options: { toolCall: [{ name: 'weather', input: { city: 'Oslo' }, id: 'c1' }] } });
  await memory.add({ role: 'user', content: 'snow', options: { toolResult: { id: 'c1', result: 'snow', isError: false } } });
  await memory.add({ role: 'assistant', content: [{ type: 'text', text: 'It snows.' }] });
  return memory.get();
}

const ui = await uiMessages();
print('UIMessage', ui);
print('ModelMessage', await convertToModelMessages(ui));
print('items', await agentItems());
print('LangChain', storedMessages());
print('LlamaIndex', await llamaMessages());
