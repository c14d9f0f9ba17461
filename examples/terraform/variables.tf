variable "service_name" {
  description = "The name of the service at Fastly."
  type        = string
  default     = "fastgate"
}

variable "domain" {
  description = "The host of the gate: the one in `hosts` and `issuer` of the policy's `edge`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "Write the host alone, in lower case, without https:// and without a port."
  }
}

variable "backends" {
  description = "The backends that the policy names: the app, and each provider whose keys are fetched. `host` is for Host, SNI and certificate; default: the address."
  type = map(object({
    address = string
    port    = optional(number, 443)
    host    = optional(string)
  }))
}

variable "package" {
  description = "The package for Compute: dist/fastgate-<version>-compute.tar.gz, which `make dist` writes."
  type        = string
}

variable "log_url" {
  description = "Where the log lines are sent."
  type        = string

  validation {
    condition     = startswith(var.log_url, "https://")
    error_message = "Fastly sends log lines to https:// URLs only."
  }
}
