-- Arguments: method, size of the body, how many different Referers come in turn
-- (0: all requests are the same). Prints the figures as one line of JSON.

function init(args)
   wrk.method = args[1]
   local size = tonumber(args[2])
   if size > 0 then
      wrk.body = string.rep("x", size)
   end
   local variants = tonumber(args[3])
   if variants > 0 then
      local texts, next = {}, 0
      for i = 1, variants do
         wrk.headers["Referer"] = "https://www.example.com/catalogue/" .. (1000 + i)
         texts[i] = wrk.format()
      end
      request = function()
         next = next % variants + 1
         return texts[next]
      end
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nFIGURES {"requests": %d, "seconds": %.6f, "errors": %d, "p50_ms": %.4f, "p99_ms": %.4f}\n',
      summary.requests, summary.duration / 1e6,
      e.connect + e.read + e.write + e.status + e.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
