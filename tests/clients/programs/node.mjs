import OpenAI from "openai";

import { tried } from "./openai_client.mjs";

console.log(JSON.stringify(await tried(OpenAI, process.env.BASE_URL, process.env.KEY)));
