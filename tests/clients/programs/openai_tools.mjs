// OpenAI's client for JavaScript with tools before the site, by both protocols: prints as JSON what came of a round.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.KEY, maxRetries: 0, timeout: 20_000 });
const parameters = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
const description = "Look.";
const look = ({ at }) => `the ${at}`;
const model = "scripted";

async function byCompletions() {
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: [{ role: "user", content: "What is there?" }],
    tools: [{ type: "function", function: { name: "look", description, parameters, parse: JSON.parse, function: look } }],
  });
  const calls = [];
  runner.on("functionToolCall", (call) => calls.push([call.name, call.arguments]));
  return { said: await runner.finalContent(), calls };
}

async function byResponses(ask) {
  const tools = [{ type: "function", name: "look", description, parameters, strict: false }];
  const input = [{ role: "user", content: "What is there?" }];
  const { output } = await ask({ model, input, tools });
  const calls = output.filter((item) => item.type === "function_call");
  const results = calls.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: look(JSON.parse(call.arguments)),
  }));
  const last = await ask({ model, tools, input: [...input, ...output, ...results] });
  return { said: last.output_text, calls: calls.map((call) => [call.name, call.arguments]), status: last.status };
}

async function events() {
  const names = [];
  let streamed = "";
  const stream = await client.responses.create({ model, input: "Hello", stream: true });
  for await (const event of stream) {
    if (names.at(-1) !== event.type) names.push(event.type);
    if (event.type === "response.output_text.delta") streamed += event.delta;
  }
  return { names, streamed };
}

async function refused(body) {
  try {
    await client.responses.create({ model, input: "Hello", ...body });
    return "nothing";
  } catch (error) {
    return `${error.constructor.name} ${error.status} ${error.code} ${error.param}`;
  }
}

async function broken() {
  const names = [];
  try {
    for await (const event of await client.responses.create({ model, input: "Break", stream: true })) names.push(event.type);
    return "nothing";
  } catch (error) {
    return [names.at(-1), error.code];
  }
}

const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
const format = { type: "json_schema", name: "place", schema, strict: true };
console.log(
  JSON.stringify({
    completions: await byCompletions(),
    whole: await byResponses((body) => client.responses.create(body)),
    streamed: await byResponses((body) => client.responses.stream(body).finalResponse()),
    parsed: (await client.responses.parse({ model, input: "Where?", text: { format } })).output_text,
    events: await events(),
    refused: await refused({ previous_response_id: "resp_1" }),
    broken: await broken(),
  }),
);
