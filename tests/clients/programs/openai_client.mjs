// OpenAI's client for JavaScript before the site, in Node or in a page: what it made of the answers.

const TOOL = { type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } };

export async function tried(OpenAI, baseURL, apiKey) {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 2, timeout: 20_000, dangerouslyAllowBrowser: true });
  const ask = (content, more = {}) =>
    client.chat.completions.create({ model: "auto", messages: [{ role: "user", content }], ...more });
  const refused = async (content) => {
    try {
      await ask(content);
      return "nothing";
    } catch (error) {
      return `${error.constructor.name} ${error.status} ${error.code}`;
    }
  };
  let streamed = "";
  let last;
  for await (const chunk of await ask("Hello", { stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
    last = chunk;
  }
  const errors = {};
  for (const name of ["401", "404", "429", "quota", "too-long"]) errors[name] = await refused(`script: ${name}`);
  const [call] = (await ask("script: tools", { tools: [TOOL] })).choices[0].message.tool_calls;
  return {
    models: (await client.models.list()).data.map((model) => model.id),
    whole: (await ask("Hello")).choices[0].message.content,
    streamed,
    tokens: last.usage.total_tokens,
    call: [call.function.name, call.function.arguments],
    errors,
  };
}
